"""API keys that sign requests, and whether a signature is theirs.

Source: Binance, web-socket-api.md of 2026, "SIGNED request security": HMAC-SHA-256 in hexadecimal, of either case, and
Ed25519 in base64. RSA keys are not known here. What is secret stands in no representation, message or error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Annotated, Protocol, Self

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Meta

from harness.config import read_toml
from harness.errors import ConfigError
from harness.replay.accounts import published_test_keys as published

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Letters = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[A-Za-z0-9]+$")]


class Key(Protocol):
    """Knows the signatures of one API key."""

    @property
    def may_log_on(self) -> bool:
        """Whether `session.logon` takes it."""
        ...

    def made(self, signature: str, payload: bytes) -> bool:
        """Whether that is the key's signature of the payload."""
        ...


class HmacKey:
    """A secret that both sides know."""

    may_log_on = False

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def made(self, signature: str, payload: bytes) -> bool:
        """Whether that is the key's signature of the payload."""
        own = hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(own.encode(), signature.lower().encode(errors="replace"))


class Ed25519Key:
    """The public half of a key pair."""

    may_log_on = True

    def __init__(self, public_pem: str) -> None:
        """Raises ValueError for what is no Ed25519 public key in PEM."""
        try:
            key = load_pem_public_key(public_pem.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError("no public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("a public key, but not of Ed25519")  # noqa: TRY004 - the text is wrong, not a type
        self._key = key

    def made(self, signature: str, payload: bytes) -> bool:
        """Whether that is the key's signature of the payload."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), payload)
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return True


class _Hmac(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="hmac"):
    api_key: _Letters
    secret: Annotated[str, Meta(min_length=1, max_length=256)]


class _Ed25519(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="ed25519"):
    api_key: _Letters
    public_key: Annotated[str, Meta(max_length=4_096)]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: Annotated[list[_Hmac | _Ed25519], Meta(max_length=1_000)]


class Keyring:
    """API keys by their names; the published test keys are always among them."""

    def __init__(self, keys: Iterable[tuple[str, Key]] = ()) -> None:
        self._keys: dict[str, Key] = {
            published.HMAC_API_KEY: HmacKey(published.HMAC_SECRET),
            published.ED25519_API_KEY: Ed25519Key(published.ed25519_public_pem()),
            **dict(keys),
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        """The keys of a TOML file: tables `[[keys]]` with `kind`, `api_key`, and `secret` or `public_key` (PEM).

        Raises ConfigError, which names the place but never the value.
        """
        found: dict[str, Key] = {}
        for number, entry in enumerate(read_toml(path, _File).keys):
            if entry.api_key in found:
                raise ConfigError(path, f"keys[{number}].api_key", "stands here twice")
            try:
                found[entry.api_key] = (
                    HmacKey(entry.secret) if isinstance(entry, _Hmac) else Ed25519Key(entry.public_key)
                )
            except ValueError as error:
                raise ConfigError(path, f"keys[{number}].public_key", str(error)) from error
        return cls(found.items())

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, api_key: str) -> Key | None:
        """The key of that name; None for one that is not known."""
        return self._keys.get(api_key)
