"""Lost loads: list, and settle those about which the table can no longer tell."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Path

from autoloader.api import answers
from autoloader.api.bodies import Settling
from autoloader.api.callers import Operator, Parts, Reader
from autoloader.api.documents import failing
from autoloader.api.told import patient, routes
from autoloader.errors import CatalogUnavailable, NotKnown, WrongState
from autoloader.ledger import tenants
from autoloader.ledger.database import connected

router = routes("loads")


@router.get("/loads/lost", summary="List lost loads")
def lost(caller: Reader, runtime: Parts) -> answers.LostLoads:
    """Loads whose worker fell silent and that are not settled yet; 10,000 at most.

    Recovery settles them within seconds. Where `error_type` is `HistoryTooShort` it cannot, and a person has to.
    """
    with connected(runtime.database) as connection:
        found = tenants.lost_loads(connection, caller.tenant_id)
    return answers.LostLoads(items=[answers.Load.of(load) for load in found])


@router.post(
    "/loads/{load_id}/settle",
    responses=failing(NotKnown, WrongState, CatalogUnavailable),
    summary="Settle a lost load",
)
@patient
def settle(
    load_id: Annotated[UUID, Path(description="Of the load.")],
    caller: Operator,
    runtime: Parts,
    body: Annotated[Settling, Body()],
) -> answers.Load:
    """Decide about a load whose evidence is gone, after a look into the table for rows with its `_load_id`.

    Not loaded: the load is kept out of the table for ever, and its files wait for the next run.
    """
    with connected(runtime.database) as connection:
        load = tenants.load(connection, caller.tenant_id, load_id)
    return answers.Load.of(runtime.settle(load, loaded=body.loaded))
