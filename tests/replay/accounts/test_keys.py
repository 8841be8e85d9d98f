from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from harness.errors import ConfigError
from harness.replay.accounts import published_test_keys as published
from harness.replay.accounts.keys import Ed25519Key, HmacKey, Keyring

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = "apiKey=x&symbol=币安人生USDT&timestamp=1".encode()
SECRET = "never-to-be-told"  # noqa: S105 - no secret of anybody


def hmac_of(secret: str, payload: bytes = PAYLOAD) -> str:
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def ed25519_of(pem: str, payload: bytes = PAYLOAD) -> str:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return base64.b64encode(key.sign(payload)).decode()


def test_the_published_keys_know_their_own_signatures() -> None:
    keys = Keyring()
    shared, pair = keys.get(published.HMAC_API_KEY), keys.get(published.ED25519_API_KEY)
    assert shared is not None
    assert pair is not None
    assert shared.made(hmac_of(published.HMAC_SECRET), PAYLOAD)
    assert pair.made(ed25519_of(published.ed25519_private_pem()), PAYLOAD)
    assert (shared.may_log_on, pair.may_log_on) == (False, True)
    assert keys.get("x") is None


def test_an_hmac_signature_is_of_either_case_and_of_that_payload_only() -> None:
    key = HmacKey(SECRET)
    assert key.made(hmac_of(SECRET).upper(), PAYLOAD)
    assert not key.made(hmac_of(SECRET), PAYLOAD + b" ")
    for wrong in (hmac_of("another"), "", "é", "\ud800", "x" * 64):
        assert not key.made(wrong, PAYLOAD)


def test_an_ed25519_signature_is_of_one_case_and_of_that_payload_only() -> None:
    key = Ed25519Key(published.ed25519_public_pem())
    good = ed25519_of(published.ed25519_private_pem())
    assert key.made(good, PAYLOAD)
    assert not key.made(good, PAYLOAD + b" ")
    for wrong in (good.swapcase(), good[:-4], "", "é", "\ud800", "x", good + "!"):
        assert not key.made(wrong, PAYLOAD)


def test_what_is_no_ed25519_public_key_is_refused() -> None:
    other = generate_private_key(SECP256R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="not of Ed25519"):
        Ed25519Key(pem)
    for text in ("", "hello", published.ed25519_private_pem()):
        with pytest.raises(ValueError, match="no public key in PEM"):
            Ed25519Key(text)


def test_keys_of_a_file_stand_beside_the_published_ones(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(
        f'[[keys]]\nkind = "hmac"\napi_key = "mine1"\nsecret = "{SECRET}"\n'
        f'[[keys]]\nkind = "ed25519"\napi_key = "mine2"\npublic_key = """{published.ed25519_public_pem()}"""\n'
    )
    keys = Keyring.read(path)
    assert len(keys) == 4
    mine = keys.get("mine1")
    assert mine is not None
    assert mine.made(hmac_of(SECRET), PAYLOAD)
    assert keys.get("mine2") is not None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f'kind = "rsa"\napi_key = "a"\nsecret = "{SECRET}"', "keys[0].kind"),
        (f'kind = "hmac"\napi_key = "a b"\nsecret = "{SECRET}"', "api_key"),
        (f'kind = "hmac"\napi_key = "a"\nsecrets = "{SECRET}"', "keys"),
        (f'kind = "ed25519"\napi_key = "a"\npublic_key = "{SECRET}"', "keys[0].public_key"),
        (f'kind = "hmac"\napi_key = "a"\nsecret = "{SECRET * 20}"', "secret"),
        ("\n[[keys]]\n".join(2 * [f'kind = "hmac"\napi_key = "a"\nsecret = "{SECRET}"']), "keys[1].api_key"),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_without_its_secrets(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f"[[keys]]\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        Keyring.read(path)
    assert place in str(refused.value)
    assert SECRET not in str(refused.value)


def test_no_representation_tells_a_secret() -> None:
    for shown in (HmacKey(SECRET), Keyring([("mine", HmacKey(SECRET))])):
        assert SECRET not in repr(shown)
        assert SECRET not in str(shown)


def test_what_is_published_says_that_it_opens_nothing() -> None:
    for text in (published.HMAC_API_KEY, published.HMAC_SECRET, published.ED25519_API_KEY):
        assert text.startswith("tickproofTest")
        assert len(text) == 64
