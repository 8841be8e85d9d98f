from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.redact import MASK, redact

KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://bot:secret@db.example:5432/trades", "postgresql://bot:***@db.example:5432/trades"),
        ("redis://:secret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("rediss://user:s3:cr@et@host/1", "rediss://user:***@host/1"),
        ("POSTGRESQL://Bot:Secret@HOST/db", "POSTGRESQL://Bot:***@HOST/db"),
        ("cannot reach redis://:a@h/0 nor redis://:b@i/0!", "cannot reach redis://:***@h/0 nor redis://:***@i/0!"),
        ("redis://:pass/wo/rd@h:6379/0", "redis://:***@h:6379/0"),
        ("'postgres+asyncpg://u:p%40ss@h/d'", "'postgres+asyncpg://u:***@h/d'"),
        ("postgresql://h/d?user=bot&password=secret&sslmode=off", "postgresql://h/d?user=bot&password=***&sslmode=off"),
        (
            "https://api.example/x?symbol=BTCUSDT&signature=abc#top",
            "https://api.example/x?symbol=BTCUSDT&signature=***#top",
        ),
        ("wss://x/ws?listenKey=abc", "wss://x/ws?listenKey=***"),
        ("GET /x?apiKey=1&api_key=2&token=3&secret=4", "GET /x?apiKey=***&api_key=***&token=***&secret=***"),
        (f"wss://stream.example:9443/ws/{KEY}", "wss://stream.example:9443/ws/***"),
        (f'{{"listenKey":"{KEY}"}}', '{"listenKey":"***"}'),
    ],
)
def test_secrets_are_masked_and_all_else_is_left(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redis://127.0.0.1:6379/0",
        "redis://user@host:6379/0",
        "wss://stream.binance.com:9443/ws/btcusdt@trade/ethusdt@kline_1m",
        "ws://127.0.0.1:41751/stream?streams=btcusdt@bookTicker",
        "postgresql://host:5432/trades?sslmode=off",
        "12:30:45 bot@host: 5 rows",
        "mail bob@example.com at 10:30, see https://example.com/a@b",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x" * 64,
        "1" * 64,
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    text = f"postgresql://u:p@h/d?password=x {KEY}"
    assert redact(redact(text)) == redact(text)


SCHEMES = st.sampled_from(["redis", "rediss", "postgresql", "postgres", "postgresql+asyncpg", "wss", "https"])
NAMES = st.text("abcdefghijklmnopqrstuvwxyz", max_size=10)
#: What may stand in the password of a URL (RFC 3986, userinfo), and the bare @ and : that people write there.
PASSWORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+,;=:@", min_size=3, max_size=80)


@given(SCHEMES, NAMES, PASSWORDS, st.text(max_size=20), st.text(max_size=20))
def test_a_password_in_a_url_never_survives(scheme: str, user: str, password: str, before: str, after: str) -> None:
    rest = "host.example:5432/db"
    assume(password not in f"{before} {after} {scheme}{user}{rest}{MASK}")
    shown = redact(f"{before} {scheme}://{user}:{password}@{rest} {after}")
    assert password not in shown
    assert f"{scheme}://{user}:{MASK}@{rest}" in shown


@given(st.sampled_from(["password", "token", "secret", "signature", "apiKey", "listenKey"]), NAMES, PASSWORDS)
def test_a_secret_in_a_query_never_survives(key: str, name: str, value: str) -> None:
    value = value.replace("&", "")
    assume(len(value) >= 3)
    assume(value not in f"{key}{name}{MASK}")
    for separator in ("?", "&"):
        shown = redact(f"https://host/path?x={name}{separator}{key}={value}&y=1")
        assert value not in shown
        assert shown.endswith(f"{key}={MASK}&y=1")


@given(st.text(max_size=200))
def test_any_text_can_be_redacted(text: str) -> None:
    assert isinstance(redact(text), str)
