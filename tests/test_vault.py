"""Secrets are sealed, opened only with the right key, and never told."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from autoloader.errors import CredentialsMissing, UsageError, VaultError
from autoloader.settings import Settings
from autoloader.vault import Vault, look_up, masked, new_key

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "PLANTED/secret+key=="


def vault(home: Path, *keys: str) -> Vault:
    return Vault(Settings(home=home, secret_key=SecretStr(",".join(keys)) if keys else None))


def test_a_sealed_secret_says_nothing_and_opens_to_what_it_was(tmp_path: Path) -> None:
    sealed = vault(tmp_path).seal(SECRET)

    assert sealed.startswith("enc:")
    assert SECRET not in sealed
    assert vault(tmp_path).open("aws_secret_access_key", sealed) == SECRET


def test_the_same_secret_sealed_twice_does_not_look_the_same(tmp_path: Path) -> None:
    assert vault(tmp_path).seal(SECRET) != vault(tmp_path).seal(SECRET)


def test_the_key_file_is_made_for_the_first_secret_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    used = vault(home)
    assert not home.exists()

    used.seal(SECRET)

    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600
    assert [file.name for file in home.iterdir()] == ["secret.key"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    vault(tmp_path).seal(SECRET)
    (tmp_path / "secret.key").chmod(0o640)

    with pytest.raises(VaultError, match="chmod 600"):
        vault(tmp_path).seal(SECRET)


def test_many_who_make_the_key_file_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda _: vault(tmp_path).seal(SECRET), range(8)))

    assert {vault(tmp_path).open("key", one) for one in sealed} == {SECRET}
    assert len((tmp_path / "secret.key").read_text().split()) == 1


def test_with_a_key_in_the_settings_no_file_is_made_and_a_plain_fernet_opens_it(tmp_path: Path) -> None:
    key = new_key()

    sealed = vault(tmp_path, key).seal(SECRET)

    assert not (tmp_path / "secret.key").exists()
    assert Fernet(key).decrypt(sealed.removeprefix("enc:")).decode() == SECRET


def test_a_secret_of_another_key_is_refused_with_what_to_do_and_without_the_secret(tmp_path: Path) -> None:
    sealed = vault(tmp_path, new_key()).seal(SECRET)

    with pytest.raises(VaultError, match="give every machine the same AUTOLOADER_SECRET_KEY") as refused:
        vault(tmp_path, new_key()).open("aws_secret_access_key", sealed)
    assert sealed not in str(refused.value)


def test_a_machine_without_a_key_makes_none_to_open_with(tmp_path: Path) -> None:
    sealed = vault(tmp_path, new_key()).seal(SECRET)

    with pytest.raises(VaultError, match="this machine has no key"):
        vault(tmp_path).open("aws_secret_access_key", sealed)
    assert not (tmp_path / "secret.key").exists()


@pytest.mark.parametrize("damage", ["short", "§", "", "a" * 43])
def test_a_key_that_is_none_is_refused_without_being_told(tmp_path: Path, damage: str) -> None:
    given = vault(tmp_path, new_key(), damage or "-")

    with pytest.raises(VaultError, match="is not one") as refused:
        given.seal(SECRET)
    assert "a" * 43 not in str(refused.value)


@pytest.mark.parametrize("tampered", ["enc:", "enc:gAAAAA", "enc:not base64 at all"])
def test_what_was_tampered_with_does_not_open(tmp_path: Path, tampered: str) -> None:
    used = vault(tmp_path, new_key())

    with pytest.raises(VaultError):
        used.open("aws_secret_access_key", tampered)


def test_the_first_key_seals_and_all_of_them_open(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    before = vault(tmp_path, old).seal(SECRET)

    both = vault(tmp_path, new, old)
    after = both.reseal(before)

    assert both.open("key", before) == SECRET
    assert vault(tmp_path, new).open("key", after) == SECRET


def test_a_key_set_later_still_opens_what_the_key_file_sealed(tmp_path: Path) -> None:
    before = vault(tmp_path).seal(SECRET)

    assert vault(tmp_path, new_key()).open("key", before) == SECRET


def test_a_rotation_cut_short_and_done_again_loses_no_key_that_is_in_use(tmp_path: Path) -> None:
    used = vault(tmp_path)
    sealed = used.seal(SECRET)

    used.renew_key()
    used.renew_key()
    sealed_anew = used.reseal(sealed)
    used.forget_old_keys()

    assert used.open("key", sealed_anew) == SECRET
    assert len((tmp_path / "secret.key").read_text().split()) == 2
    with pytest.raises(VaultError):
        used.open("key", sealed)


def test_a_key_of_the_settings_is_renewed_by_a_person(tmp_path: Path) -> None:
    assert vault(tmp_path, new_key()).renew_key() is False
    assert not (tmp_path / "secret.key").exists()


def test_a_reference_is_not_resealed_but_stays(tmp_path: Path) -> None:
    assert vault(tmp_path).reseal("env:MY_KEY") == "env:MY_KEY"


def test_references_are_looked_up_where_the_bucket_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    (tmp_path / "mounted").write_text(f"{SECRET}\n")

    assert vault(tmp_path).open("aws_access_key_id", "env:MY_KEY") == SECRET
    assert look_up("aws_access_key_id", f"file:{tmp_path}/mounted") == SECRET


@pytest.mark.parametrize("place", ["env:NOT_SET_ANYWHERE", "file:/no/such/file", "file:/dev/zero", "file:/etc"])
def test_a_reference_to_nothing_names_the_place(place: str) -> None:
    with pytest.raises(CredentialsMissing, match=place.partition(":")[2]):
        look_up("aws_access_key_id", place)


@pytest.mark.parametrize(
    "reference", ["AKIAPLANTED", "env:", "env:1A", "env:A B", "file:relative", "file:", "http://x", ""]
)
def test_what_is_no_reference_is_refused_without_being_told(reference: str) -> None:
    with pytest.raises(UsageError, match=r"env:NAME or file:/path") as refused:
        look_up("aws_access_key_id", reference)
    assert "AKIAPLANTED" not in str(refused.value)
    assert refused.value.field == "source_credentials.aws_access_key_id"


@pytest.mark.parametrize(
    "reference", ["env:AUTOLOADER_SECRET_KEY", "env:AUTOLOADER_DATABASE_URL", "file:/h/secret.key"]
)
def test_the_secrets_of_the_program_itself_are_out_of_reach(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOLOADER_SECRET_KEY", SECRET)

    with pytest.raises(UsageError, match="secrets of this program"):
        look_up("aws_access_key_id", reference)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("enc:gAAAAA", "***"), ("AKIAPLANTED", "***"), ("env:KEY", "env:KEY"), ("file:/a b", "file:/a b"), (None, None)],
)
def test_only_references_are_shown(stored: str | None, shown: str | None) -> None:
    assert masked(stored) == shown
