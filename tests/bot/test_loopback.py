"""No order leaves this machine, whatever the address looks like."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.bot.orders.loopback import loopback_urls
from harness.errors import ConfigError, ServiceError

#: What a resolver says in these tests; nobody is really asked.
ADDRESSES = {
    "localhost": ["::1", "127.0.0.1"],
    "mine.example": ["127.0.0.1", "127.0.0.2"],
    "both.example": ["127.0.0.1", "203.0.113.7"],
    "both-reversed.example": ["203.0.113.7", "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nowhere.example": [],
}
PRODUCTION = [
    "api.binance.com",
    "ws-api.binance.com",
    "ws-fapi.binance.com",
    "stream.binance.com",
    "fstream.binance.com",
    "ws-api.testnet.binance.vision",
    "testnet.binance.vision",
    "ws-api.binance.us",
]


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host in ADDRESSES or host in PRODUCTION:
            found = ADDRESSES.get(host, ["203.0.113.7"])
        elif re.fullmatch(r"[0-9.]+|[0-9a-f:]+", host):
            found = [host]
        else:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("host", PRODUCTION)
@pytest.mark.parametrize("address", ["ws://{}/ws-api/v3", "ws://{}:9443/ws-api/v3", "ws://{}:80/ws-api/v3?x=127.0.0.1"])
async def test_no_order_goes_to_an_exchange_of_this_world(host: str, address: str) -> None:
    with pytest.raises(ConfigError, match=r"orders go to this machine's loopback only"):
        await loopback_urls(address.format(host))


@pytest.mark.parametrize(
    "host",
    ["both.example", "both-reversed.example", "mapped.example", "nowhere.example", "0.0.0.0", "10.0.0.1", "[::]"],  # noqa: S104 - refused
)
async def test_every_address_of_a_host_must_be_loopback(host: str) -> None:
    with pytest.raises(ConfigError, match=r"orders go to this machine's loopback only"):
        await loopback_urls(f"ws://{host}:9444/ws-api/v3")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("wss://127.0.0.1:9444/ws-api/v3", "an address of orders reads ws://"),
        ("http://127.0.0.1:9444/ws-api/v3", "an address of orders reads ws://"),
        ("127.0.0.1:9444", "an address of orders reads ws://"),
        ("ws:///ws-api/v3", "an address of orders reads ws://"),
        ("ws://127.0.0.1:99999/ws-api/v3", "is no address"),
        ("ws://[127.0.0.1/ws-api/v3", "is no address"),
        ("ws://key:secret@127.0.0.1:9444/ws-api/v3", "no user and no password"),
        ("ws://@127.0.0.1:9444/ws-api/v3", "no user and no password"),
        ("ws://127.0.0.1@api.binance.com/ws-api/v3", "no user and no password"),
        ("ws://127.0.0.1\\@api.binance.com/ws-api/v3", "no user and no password"),
    ],
)
async def test_an_address_that_could_mean_two_things_is_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        await loopback_urls(url)
    assert "secret@" not in str(refused.value)


async def test_a_host_that_does_not_resolve_is_told() -> None:
    with pytest.raises(ServiceError, match="does not resolve"):
        await loopback_urls("ws://unknown.example:9444/ws-api/v3")
    with pytest.raises((ServiceError, ConfigError)):
        await loopback_urls(f"ws://{'x' * 70}.example:9444/ws-api/v3")


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("ws://127.0.0.1:9444/ws-api/v3", ["ws://127.0.0.1:9444/ws-api/v3"]),
        ("ws://localhost:9444/ws-api/v3", ["ws://[::1]:9444/ws-api/v3", "ws://127.0.0.1:9444/ws-api/v3"]),
        ("ws://mine.example:9444/x?y=1", ["ws://127.0.0.1:9444/x?y=1", "ws://127.0.0.2:9444/x?y=1"]),
        ("ws://[::1]/ws-api/v3", ["ws://[::1]:80/ws-api/v3"]),
    ],
)
async def test_what_is_connected_to_is_the_address_that_was_checked(url: str, checked: list[str]) -> None:
    assert await loopback_urls(url) == checked


#: What code that signs requests to an exchange cannot do without.
SIGNING = re.compile(r"\bhmac\b|X-MBX-APIKEY|['\"](?:signature|apiKey|secretKey)['\"]|\bsignature=", re.IGNORECASE)


def test_the_bot_holds_no_key_and_no_code_that_signs() -> None:
    package = Path(harness.__file__).parent
    read = [path for folder in ("bot", "exchange", "backends") for path in (package / folder).rglob("*.py")]
    assert len(read) > 30
    signing = {path.name: SIGNING.findall(path.read_text(encoding="utf-8")) for path in read}
    assert {name: found for name, found in signing.items() if found} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import hmac",
        'params["signature"] = sign(params)',
        'headers = {"X-MBX-APIKEY": key}',
        'url + "&signature=" + digest',
        '{"apiKey": key}',
    ],
)
def test_code_that_signs_would_be_found(text: str) -> None:
    assert SIGNING.search(text)
