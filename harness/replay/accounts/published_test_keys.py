"""Test keys for the replay server, published with this package: they open nothing anywhere else.

Anybody may know them. They exist so that a client that insists on signing can be pointed at the replay.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

HMAC_API_KEY: Final = "tickproofTestKeyHmac".ljust(64, "0")
HMAC_SECRET: Final = "tickproofTestSecretOpensNothing".ljust(64, "0")
ED25519_API_KEY: Final = "tickproofTestKeyEd25519".ljust(64, "0")
_SEED: Final = hashlib.sha256(b"tickproof: a published test key that opens nothing").digest()


def ed25519_private_pem() -> str:
    """The private half, PKCS 8 in PEM, as clients want it."""
    pem = _private().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def ed25519_public_pem() -> str:
    """The public half in PEM."""
    return _private().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_SEED)
