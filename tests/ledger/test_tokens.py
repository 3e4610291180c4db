"""Tokens open what they should, until they are revoked; the ledger cannot tell them."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from autoloader.access import Caller, authenticate
from autoloader.errors import NameTaken, NotAllowed, NotAuthenticated, NotKnown
from autoloader.ledger import tokens
from autoloader.ledger.database import transaction
from autoloader.model import Scope

if TYPE_CHECKING:
    from tests.ledger.ledgers import Ledger


def made(ledger: Ledger, name: str = "dashboard", scope: Scope = Scope.READ, tenant: str = "default") -> str:
    with ledger.transaction() as connection:
        return tokens.create(connection, tenant, name, scope)[1]


def who(ledger: Ledger, bearer: str | None) -> Caller:
    with ledger.transaction() as connection:
        return authenticate(connection, bearer)


def test_a_token_tells_tenant_scope_and_name(ledger: Ledger) -> None:
    secret = made(ledger, "dashboard", Scope.OPERATE, "acme")

    assert who(ledger, secret) == Caller(tenant_id="acme", scope=Scope.OPERATE, name="dashboard")


def test_the_ledger_keeps_the_hash_and_never_the_token(ledger: Ledger) -> None:
    secret = made(ledger)

    (row,) = ledger.sql("SELECT tokens::text AS all, token_hash FROM tokens")
    assert secret not in row[0]
    assert secret.removeprefix("al_") not in row[0]
    assert row[1] == hashlib.sha256(secret.encode()).hexdigest()


def test_tokens_are_long_and_never_alike(ledger: Ledger) -> None:
    secrets = {made(ledger, f"token-{number}") for number in range(20)}

    assert len(secrets) == 20
    assert all(secret.startswith("al_") and len(secret) == 46 for secret in secrets)


@pytest.mark.parametrize("bearer", ["", "al_unknown", "' OR true --", "\udcff", "\0", "a" * 100_000])
def test_what_is_no_token_opens_nothing_even_where_none_was_made(ledger: Ledger, bearer: str) -> None:
    with pytest.raises(NotAuthenticated, match="unknown or revoked"):
        who(ledger, bearer)


def test_without_any_token_whoever_asks_is_the_administrator(ledger: Ledger) -> None:
    assert who(ledger, None) == Caller(tenant_id="default", scope=Scope.ADMIN, name="anyone")


def test_from_the_first_token_on_nobody_comes_in_without(ledger: Ledger) -> None:
    made(ledger)

    with pytest.raises(NotAuthenticated, match="asks for a token"):
        who(ledger, None)


def test_a_revoked_token_opens_nothing_and_revoking_the_last_does_not_open_the_service(ledger: Ledger) -> None:
    secret = made(ledger)
    with ledger.transaction() as connection:
        tokens.revoke(connection, "default", "dashboard")

    for bearer in (secret, None):
        with pytest.raises(NotAuthenticated):
            who(ledger, bearer)


def test_a_name_is_taken_until_its_token_is_revoked(ledger: Ledger) -> None:
    made(ledger)
    made(ledger, tenant="acme")
    with pytest.raises(NameTaken):
        made(ledger)
    with ledger.transaction() as connection:
        tokens.revoke(connection, "default", "dashboard")

    assert who(ledger, made(ledger)).name == "dashboard"
    with ledger.transaction() as connection:
        assert [token.revoked_at is None for token in tokens.list_all(connection)] == [False, True, True]


def test_a_token_of_another_tenant_or_revoked_already_cannot_be_revoked(ledger: Ledger) -> None:
    made(ledger, tenant="acme")

    for tenant, name in (("default", "dashboard"), ("acme", "other")):
        with ledger.transaction() as connection, pytest.raises(NotKnown, match="token list"):
            tokens.revoke(connection, tenant, name)


def test_use_is_noted_once_a_minute(ledger: Ledger) -> None:
    secret = made(ledger)
    who(ledger, secret)
    (first,) = ledger.sql("SELECT last_used_at FROM tokens")
    who(ledger, secret)
    assert ledger.sql("SELECT last_used_at FROM tokens") == [first]
    ledger.sql("UPDATE tokens SET last_used_at = now() - interval '61 seconds'")

    who(ledger, secret)

    (later,) = ledger.sql("SELECT last_used_at FROM tokens")
    assert later[0] > first[0]


def test_nobody_waits_for_another_use_of_the_same_token(ledger: Ledger) -> None:
    secret = made(ledger)
    callers: list[Caller] = []
    with transaction(ledger.engine) as connection:
        authenticate(connection, secret)
        other = threading.Thread(target=lambda: callers.append(who(ledger, secret)))
        other.start()
        other.join(20)
        assert [caller.name for caller in callers] == ["dashboard"]


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.OPERATE, {Scope.READ, Scope.OPERATE}),
        (Scope.ADMIN, {Scope.READ, Scope.OPERATE, Scope.ADMIN}),
    ],
)
def test_a_scope_holds_those_before_it(scope: Scope, may: set[Scope]) -> None:
    assert {asked for asked in Scope if scope.holds(asked)} == may


def test_whoever_may_not_is_told_which_scope_it_takes() -> None:
    caller = Caller(tenant_id="default", scope=Scope.OPERATE, name="cron")

    caller.require(Scope.READ)
    with pytest.raises(NotAllowed, match="scope operate and this needs admin"):
        caller.require(Scope.ADMIN)


def test_only_the_administrator_of_this_machines_tenant_may_name_its_own_secrets() -> None:
    operators = {
        (tenant, scope)
        for tenant in ("default", "acme")
        for scope in Scope
        if Caller(tenant_id=tenant, scope=scope, name="x").is_operator
    }

    assert operators == {("default", Scope.ADMIN)}
