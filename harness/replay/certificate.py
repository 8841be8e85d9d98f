"""A certificate of our own for clients that insist on TLS: for loopback names only, short-lived, trusted by nobody."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.x509 import Certificate

_DAYS: Final = 30
_NAME: Final = "tickproof replay, this machine only"
_MAX_PEM_BYTES: Final = 64 * 1024


class CertificateFiles(NamedTuple):
    """Where they are; `certificate` is also what a client must be told to trust."""

    certificate: Path
    key: Path


def certificate_in(folder: Path) -> CertificateFiles:
    """A certificate for localhost, 127.0.0.1 and ::1 and its key: the ones in the folder, or new ones.

    New ones are made when there are none, or they end within a day. The key can be read by its owner only.
    Raises ConfigError for a folder that cannot be used.
    """
    files = CertificateFiles(folder / "replay-certificate.pem", folder / "replay-key.pem")
    try:
        if not _still_good(files):
            folder.mkdir(parents=True, exist_ok=True)
            _make(files)
    except OSError as error:
        raise ConfigError(folder, "tls", f"cannot hold a certificate: {error.strerror or error}") from error
    return files


def server_context(files: CertificateFiles) -> ssl.SSLContext:
    """The server's side of TLS, 1.2 or newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    return context


def _still_good(files: CertificateFiles) -> bool:
    with suppress(OSError, ValueError):
        with files.certificate.open("rb") as file:
            found = x509.load_pem_x509_certificate(file.read(_MAX_PEM_BYTES))
        left = found.not_valid_after_utc - dt.datetime.now(dt.UTC)
        server_context(files)  # raises ssl.SSLError, an OSError, when the key is not this certificate's
        return left > dt.timedelta(days=1)
    return False


def _make(files: CertificateFiles) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _write(files.key, _private(key))
    _write(files.certificate, _signed(key).public_bytes(serialization.Encoding.PEM))


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _signed(key: ec.EllipticCurvePrivateKey) -> Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _write(path: Path, content: bytes) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, content)
    finally:
        os.close(file)
