"""Who asks, and what they may: a bearer token becomes a caller, with a tenant and a scope.

As long as no token was ever made, whoever reaches the service is its administrator; that is why `autoloader serve`
listens nowhere but on this machine until there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.errors import NotAllowed, NotAuthenticated
from autoloader.ledger import tokens
from autoloader.model import DEFAULT_TENANT, Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Caller", "Scope", "authenticate"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whoever asks.

    Attributes:
        tenant_id: whose ingestions they see; all others do not exist for them.
        name: of the token, for the log; ``anyone`` on a service without tokens.
    """

    tenant_id: str
    scope: Scope
    name: str

    def require(self, scope: Scope) -> None:
        """Make sure that the caller may do what needs ``scope``.

        Raises:
            NotAllowed: they may not.
        """
        if not self.scope.holds(scope):
            raise NotAllowed(
                f"token {self.name!r} has the scope {self.scope} and this needs {scope}: "
                f"make one with `autoloader token create NAME --scope {scope}`"
            )

    @property
    def is_operator(self) -> bool:
        """Whether they administer the tenant of whoever runs this machine.

        Only they may name the machine's own secrets in an ingestion (``env:``, ``file:``, a profile, a role): with an
        endpoint of one's own, a reference to somebody else's secret is a way to be sent it.
        """
        return self.scope is Scope.ADMIN and self.tenant_id == DEFAULT_TENANT


def authenticate(conn: Connection, bearer: str | None) -> Caller:
    """Who holds this token.

    Args:
        bearer: what follows ``Bearer`` in the Authorization header; None where there is no such header.

    Raises:
        NotAuthenticated: the token is unknown or revoked, or there is none although tokens were made.
    """
    if bearer is None:
        if tokens.any_made(conn):
            raise NotAuthenticated(
                "this service asks for a token: send it as `Authorization: Bearer …`; "
                "whoever runs it makes one with `autoloader token create`"
            )
        return Caller(tenant_id=DEFAULT_TENANT, scope=Scope.ADMIN, name="anyone")
    token = tokens.find(conn, bearer)
    if token is None:
        raise NotAuthenticated("the token is unknown or revoked: ask whoever runs this service for another one")
    return Caller(tenant_id=token.tenant_id, scope=token.scope, name=token.name)
