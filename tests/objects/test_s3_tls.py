"""A store that speaks TLS with a certificate of its own making, as behind a company's firewall."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.objects.answering import BUCKET, Answering, found

from autoloader.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = f"s3://{BUCKET}/a.json"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of ``localhost`` that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


@pytest.fixture
def tls(certificate: Path) -> Iterator[Answering]:
    """A store that speaks TLS."""
    with closing(Answering(certificate)) as server:
        server.answer = lambda asked: found(asked.key.encode())
        yield server


def test_a_store_whose_certificate_is_named_is_read_in_every_way(
    tls: Answering, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    store = tls.store()
    [[whole]] = store.read_small([(PATH, "v1")])
    assert whole.body == b"a.json"
    assert b"".join(store.read(PATH, "v1")) == b"a.json"
    assert b"".join(store.read(PATH, "v1", start=2)) == b"json"
    fast = ["libcurl" in asked.headers.get("user-agent", "") for asked in tls.asked]
    assert fast == [True, True, False]


def test_a_store_with_a_certificate_that_nobody_trusts_is_not_read(
    tls: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    store = tls.store()
    [[whole]] = store.read_small([(PATH, "v1")])
    assert whole.body is None
    with pytest.raises(SourceUnavailable, match="AWS_CA_BUNDLE"):
        list(store.read(PATH, "v1"))
    assert tls.asked == []
