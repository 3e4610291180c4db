"""Secrets of ingestions: sealed before they are stored, opened only when a bucket is opened, never shown.

A stored secret has one of three forms. ``env:NAME`` and ``file:/path`` say where it is to be found on the machine that
opens the bucket. ``enc:…`` is the secret itself, sealed by Fernet (AES-128-CBC and HMAC-SHA256, of the library
``cryptography``) with a key that is not in the database.

The keys come from ``AUTOLOADER_SECRET_KEY`` and from the file ``secret.key`` in the home folder. The first one seals;
any of them opens, so that a new key can be put in front while secrets under the old one are still there. The file is
made when the first secret is sealed and no key is set; it is read anew each time, so that a rotation reaches processes
that run.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from autoloader.errors import CredentialsMissing, UsageError, VaultError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.fernet import MultiFernet

    from autoloader.settings import Settings

MASK = "***"
"""What is shown in place of a sealed secret. Given back in an edit, it means: as it was."""

CREDENTIAL_SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
SECRETS = frozenset({*CREDENTIAL_SECRETS, "spark_connect_token"})
"""The fields of an ingestion and of its credentials that hold a secret."""

SEALED, VARIABLE, FILE = "enc:", "env:", "file:"
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\0]+")
_OWN = "AUTOLOADER_"
_KEY_FILE = "secret.key"
_KEY_MODE = 0o600
_MOST_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Vault:
    """Seals and opens secrets with the keys of this machine.

    Args:
        settings: where the keys are. Nothing is read or made before the first secret.
    """

    def __init__(self, settings: Settings) -> None:
        self._given = settings.secret_key
        self._file = settings.home_dir / _KEY_FILE

    def seal(self, secret: str) -> str:
        """A secret as it may be stored; makes the key file where there is no key yet.

        Raises:
            VaultError: the keys cannot be used.
        """
        if not self._keys():
            self._make_file()
        return SEALED + self._fernet().encrypt(secret.encode()).decode()

    def open(self, name: str, stored: str) -> str:
        """The secret itself, for a client of a store or an engine and nobody else.

        Args:
            name: of the field, for messages.

        Raises:
            CredentialsMissing: the variable or the file that it is read from is not there, or empty.
            UsageError: neither sealed nor a reference.
            VaultError: no key of this machine opens it.
        """
        if not stored.startswith(SEALED):
            return look_up(name, stored)
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  most ingestions have no sealed secret

        try:
            return self._fernet().decrypt(stored.removeprefix(SEALED)).decode()
        except InvalidToken:
            raise VaultError(
                f"{name} was stored under a key that this machine does not have: give every machine the same "
                f"AUTOLOADER_SECRET_KEY (or the same file {self._file}), or store the credentials anew"
            ) from None

    def reseal(self, stored: str) -> str:
        """A stored secret under the first key; a reference stays as it is.

        Raises:
            VaultError: no key of this machine opens it.
        """
        if not stored.startswith(SEALED):
            return stored
        return SEALED + self._fernet().encrypt(self.open("a stored secret", stored).encode()).decode()

    def renew_key(self) -> bool:
        """Put a new key in front of those in the key file.

        Returns:
            False where keys are set by ``AUTOLOADER_SECRET_KEY``: then a person puts the new one there.
        """
        if self._given is not None:
            return False
        _write(self._file, "".join(f"{key}\n" for key in [new_key(), *_read_keys(self._file)]))
        return True

    def forget_old_keys(self) -> None:
        """Drop the keys from the key file that open nothing any more, once every secret was sealed anew.

        The one before the newest stays until the next time: a process may have read it just before, and seal one more
        secret with it.
        """
        if self._given is None:
            _write(self._file, "".join(f"{key}\n" for key in _read_keys(self._file)[:2]))

    def _keys(self) -> list[str]:
        given = [] if self._given is None else _split(self._given.get_secret_value().split(","))
        return given + _read_keys(self._file)

    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  likewise

        keys = self._keys()
        if not keys:
            raise VaultError(
                "a secret is stored sealed, and this machine has no key: set AUTOLOADER_SECRET_KEY to the one it was "
                f"sealed with, or copy the file {_KEY_FILE} of that machine to {self._file} (mode 0600)"
            )
        try:
            return MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise VaultError(
                f"a key in AUTOLOADER_SECRET_KEY or {self._file} is not one: a key is what "
                "`autoloader db new-key` prints, 32 bytes in URL-safe base64"
            ) from None

    def _make_file(self) -> None:
        """Make the key file, whoever else makes it at the same moment: the first one wins."""
        fresh = self._file.with_name(f"{_KEY_FILE}.{os.getpid()}.{os.urandom(4).hex()}")
        _write(fresh, f"{new_key()}\n")
        try:
            os.link(fresh, self._file)
        except FileExistsError:
            return
        except OSError as error:
            raise _unusable(self._file, error) from error
        finally:
            fresh.unlink()


def new_key() -> str:
    """A key made at random."""
    from cryptography.fernet import Fernet  # noqa: PLC0415  likewise

    return Fernet.generate_key().decode()


def look_up(name: str, reference: str) -> str:
    """What a reference stands for on this machine.

    Args:
        name: of the field, for messages.

    Raises:
        CredentialsMissing: the variable is not set, the file not there, or it is empty.
        UsageError: not a reference, or one to the secrets of this program.
    """
    check_reference(name, reference)
    value = value_of(reference)
    if not value:
        place = reference.partition(":")[2]
        where = f"the variable {place}, which is not set. Set it and try again."
        if reference.startswith(FILE):
            where = f"the file {place}, which cannot be read or is empty. Mend that."
        raise CredentialsMissing(f"{name} is read from {where}")
    return value


def value_of(reference: str) -> str:
    """What a reference stands for on this machine, whatever it is; empty where there is nothing."""
    place = reference.partition(":")[2]
    return os.environ.get(place, "") if reference.startswith(VARIABLE) else _content(Path(place))


def check_reference(name: str, reference: str) -> None:
    """Make sure that this is a reference, and not one to what opens everything else.

    Raises:
        UsageError: it is not.
    """
    if REFERENCE.fullmatch(reference) is None:
        raise UsageError(
            f"{name}: write a reference as env:NAME or file:/path/to/it", field=f"source_credentials.{name}"
        )
    if reference.startswith(VARIABLE + _OWN) or Path(reference.removeprefix(FILE)).name == _KEY_FILE:
        raise UsageError(
            f"{name}: the secrets of this program are not for its ingestions; choose another variable or file",
            field=f"source_credentials.{name}",
        )


def require_stored_form(name: str, stored: str | None) -> None:
    """The last gate before the ledger: nothing but a sealed secret or a reference gets through.

    Raises:
        VaultError: it is the secret itself.
    """
    if stored is not None and not stored.startswith((SEALED, VARIABLE, FILE)):
        raise VaultError(f"{name} was about to be stored unsealed, and was not stored: report this as a bug")


def masked(stored: str | None) -> str | None:
    """A stored secret as it may be shown: ``***`` where it is sealed, a reference as it is."""
    return MASK if stored is not None and REFERENCE.fullmatch(stored) is None else stored


def _content(path: Path) -> str:
    """The text of a small file without the line ends around it; empty when there is none to be had."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _split(texts: Sequence[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]


def _read_keys(file: Path) -> list[str]:
    try:
        if file.stat().st_mode & _OTHERS:
            raise VaultError(f"{file} can be read by others: run `chmod 600 {file}`, and rotate the key")
        return _split(file.read_text("ascii").splitlines())
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, error) from error


def _write(file: Path, text: str) -> None:
    """Replace a file as a whole, readable by nobody else."""
    fresh = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _KEY_MODE), "w") as output:
            output.write(text)
            output.flush()
            os.fsync(output.fileno())
        fresh.replace(file)
    except OSError as error:
        raise _unusable(file, error) from error


def _unusable(file: Path, error: Exception) -> VaultError:
    reason = error.strerror if isinstance(error, OSError) else "not a text of keys"
    return VaultError(f"the key file {file} cannot be used ({reason}): mend its permissions, or set another home")
