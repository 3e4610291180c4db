"""Opening a catalog: PyIceberg's own configuration, or the connections of the embedded stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.io import PY_IO_IMPL
from pyiceberg.utils.config import Config
from requests.adapters import HTTPAdapter
from sqlalchemy.exc import ArgumentError
from urllib3.util import Retry

from autoloader.errors import CatalogMisconfigured, UsageError
from autoloader.lake import filesystems
from autoloader.lake.answers import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.catalog import Catalog
    from requests import PreparedRequest, Response, Session

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60


class _TimedAdapter(HTTPAdapter):
    """HTTP that never waits for ever, and repeats what only reads."""

    def __init__(self) -> None:
        # A POST is left out on purpose: a commit is sent once and its fate is then looked up, see ``answers.send``.
        reads = Retry(
            total=3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), allowed_methods={"GET", "HEAD"}
        )
        reads.raise_on_status = False
        super().__init__(max_retries=reads, pool_maxsize=32)

    def send(  # noqa: PLR0917  the signature is the library's
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: Any = None,  # noqa: ANN401
        verify: bool | str = True,  # noqa: FBT001, FBT002
        cert: Any = None,  # noqa: ANN401
        proxies: Any = None,  # noqa: ANN401
    ) -> Response:
        """Send with a time limit where the caller set none."""
        limit = timeout or (CONNECT_SECONDS, ANSWER_SECONDS)
        return super().send(request, stream=stream, timeout=limit, verify=verify, cert=cert, proxies=proxies)


class _TimedRestCatalog(RestCatalog):
    """PyIceberg's REST catalog, which itself sets no time limit on any request."""

    def _config_headers(self, session: Session) -> None:
        super()._config_headers(session)
        for scheme in ("http://", "https://"):
            session.mount(scheme, _TimedAdapter())


def open_catalog(name: str, catalogs: Mapping[str, Mapping[str, str]]) -> Catalog:
    """Open the catalog that the user calls ``name``.

    Args:
        name: as in ``name.database.table``.
        catalogs: properties by catalog name (``Connections.catalogs``). A catalog of the same name in PyIceberg's own
            configuration (``.pyiceberg.yaml``, ``PYICEBERG_CATALOG__…``) comes first and is taken whole.

    Raises:
        CatalogMisconfigured: no such catalog, refused credentials, an address or properties that do not work.
        CatalogUnavailable: it does not answer.
    """
    properties = _properties(name, catalogs)
    with translated(f"opening the catalog {name!r}"):
        try:
            if _is_rest(properties):
                return _TimedRestCatalog(name, **properties)
            return load_catalog(name, **properties)
        except (ValueError, TypeError, NotImplementedError, ImportError, ArgumentError) as error:
            raise CatalogMisconfigured(f"The catalog {name!r} cannot be opened: {error}") from error


def _properties(name: str, catalogs: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    own = Config().get_catalog_config(name)
    given = own if own is not None else catalogs.get(name)
    if given is None:
        known = sorted({*Config().get_known_catalogs(), *catalogs})
        variable = f"PYICEBERG_CATALOG__{name.upper().replace('-', '_')}__URI"
        raise CatalogMisconfigured(
            f"There is no catalog {name!r} (known: {', '.join(known) or 'none'}). "
            f"Describe it in ~/.pyiceberg.yaml, or set {variable} and the properties it needs."
        )
    properties = dict(given)
    # Without every snapshot in the metadata an earlier load would look as if it had never landed.
    properties["snapshot-loading-mode"] = "all"
    properties.setdefault(PY_IO_IMPL, filesystems.IMPLEMENTATION)
    if _is_rest(properties) and "credential" in properties and not properties.get("rest.sigv4-enabled"):
        properties.setdefault("oauth2-server-uri", f"{str(properties['uri']).rstrip('/')}/v1/oauth/tokens")
    return properties


def addresses(catalogs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Where the known catalogs are that speak HTTP, by name."""
    known = {name: _properties(name, catalogs) for name in {*Config().get_known_catalogs(), *catalogs}}
    return {name: str(properties["uri"]) for name, properties in sorted(known.items()) if _is_rest(properties)}


def _is_rest(properties: Mapping[str, Any]) -> bool:
    if "py-catalog-impl" in properties or not properties.get("uri"):
        return False
    return str(properties.get("type") or "rest").lower() == "rest" and str(properties["uri"]).startswith("http")


def identifier(database: str, table: str) -> tuple[str, ...]:
    """The parts of a table's name; dots in ``database`` part nested namespaces.

    Raises:
        UsageError: a name that no catalog takes.
    """
    parts = (*database.split("."), table)
    for part in parts:
        if not part.strip() or "/" in part or not part.isprintable() or part != part.strip():
            raise UsageError(f"{database}.{table} is not a table's name: {part!r} is no name of a part.", field="table")
    if "." in table:
        raise UsageError(f"The table {table!r} holds a dot. Write catalog.database.table.", field="table")
    return parts


def check_identifier(catalog: Catalog, database: str, table: str) -> None:
    """Ask the catalog whether it takes these names, before anything is saved under them.

    Raises:
        UsageError: it does not; the message gives the rule.
        CatalogUnavailable: it does not answer.
    """
    name = identifier(database, table)
    try:
        with translated(f"checking the name {'.'.join(name)}"):
            catalog.namespace_exists(name[:-1])
            catalog.table_exists(name)
    except CatalogMisconfigured as error:
        raise UsageError(str(error), field="table") from error


def namespaces(catalog: Catalog) -> frozenset[str]:
    """The outermost namespaces.

    Raises:
        LakeError: the catalog does not answer or refuses.
    """
    with translated("listing the namespaces of the catalog"):
        return frozenset(".".join(name) for name in catalog.list_namespaces())
