from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import ssl
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from harness.bot import rest
from harness.bot.rest import RateLimited, RestClient
from harness.clock import ManualClock
from harness.errors import ServiceError
from harness.exchange.book_sync import Snapshot
from harness.exchange.events import Candle
from harness.exchange.filters import SymbolFilters
from harness.recordings.format import load
from harness.recordings.importers import import_raw
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

TIME = {"serverTime": 1_700_000_000_000}
#: Binance's rows: open time, o, h, l, c, volume, close time, quote volume, trades, and three more.
ROWS: list[list[Any]] = [
    [start, "1.0", "3.0", "0.5", "2.0", "10.5", start + 59_999, "20", 7, "5", "10", "0"]
    for start in range(1_699_999_800_000, 1_700_000_000_001, 60_000)
]
SPOT_FILTERS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001000"},
    {"filterType": "ICEBERG_PARTS", "limit": 100},
    {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
]
USDM_FILTERS = [
    {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "stepSize": "1"},
    {"filterType": "MIN_NOTIONAL", "notional": "100"},
]


class Exchange:
    """An HTTP server on loopback that answers as told."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        """Whole responses by path."""
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        """Path, query and head of each request."""
        self.hang = False
        self.base_url = ""

    def says(self, path: str, document: Any = None, *, status: int = 200, head: str = "", body: bytes = b"") -> None:
        content = body or json.dumps(document).encode()
        self.answers[path] = f"HTTP/1.1 {status} Any\r\nContent-Length: {len(content)}\r\n{head}\r\n".encode() + content

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                target = urlsplit(head.split(" ", 2)[1])
                self.asked.append((target.path, parse_qs(target.query), head))
                if self.hang:
                    await asyncio.Event().wait()
                writer.write(self.answers.get(target.path, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest_asyncio.fixture
async def exchange() -> AsyncIterator[Exchange]:
    exchange = Exchange()
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await exchange.serve(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    exchange.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield exchange
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def spot(exchange: Exchange, clock: ManualClock) -> AsyncIterator[RestClient]:
    async with RestClient(exchange.base_url, "spot", clock=clock) as client:
        yield client


@pytest_asyncio.fixture
async def usdm(exchange: Exchange) -> AsyncIterator[RestClient]:
    async with RestClient(exchange.base_url, "usdm") as client:
        yield client


async def test_a_depth_snapshot_keeps_its_levels_as_received(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/depth", {"lastUpdateId": 160, "bids": [["0.00240000", "10"]], "asks": []})
    assert await spot.depth("BTCUSDT", 5_000) == Snapshot(last_update_id=160, bids=[["0.00240000", "10"]], asks=[])
    assert exchange.asked[0][:2] == ("/api/v3/depth", {"symbol": ["BTCUSDT"], "limit": ["5000"]})


async def test_usdm_has_paths_of_its_own_and_more_fields(exchange: Exchange, usdm: RestClient) -> None:
    exchange.says("/fapi/v1/depth", {"lastUpdateId": 1, "E": 5, "T": 4, "bids": [], "asks": [["1.5", "2"]]})
    assert (await usdm.depth("BTCUSDT", 1_000)).asks == [["1.5", "2"]]
    exchange.says("/fapi/v1/time", TIME)
    assert await usdm.time() == TIME["serverTime"]


async def test_a_symbol_that_is_not_ascii_reaches_the_exchange(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/depth", {"lastUpdateId": 1, "bids": [], "asks": []})
    await spot.depth("\u5e01\u5b89&limit=1", 10)
    assert exchange.asked[0][1] == {"symbol": ["\u5e01\u5b89&limit=1"], "limit": ["10"]}


@pytest.mark.parametrize(("market", "limit"), [("spot", 0), ("spot", 5_001), ("usdm", 1_001), ("usdm", 7)])
async def test_a_limit_that_the_market_does_not_give_is_refused(exchange: Exchange, market: Any, limit: int) -> None:
    async with RestClient(exchange.base_url, market) as client:
        with pytest.raises(ValueError, match=f"no depth snapshot of {limit} levels"):
            await client.depth("BTCUSDT", limit)
    assert exchange.asked == []


async def test_only_closed_candles_are_given_and_the_exchange_says_what_is_closed(
    exchange: Exchange, spot: RestClient
) -> None:
    exchange.says("/api/v3/time", TIME)
    exchange.says("/api/v3/klines", ROWS)
    candles = await spot.klines("BTCUSDT", "1m", 2)
    assert exchange.asked[1][1] == {"symbol": ["BTCUSDT"], "interval": ["1m"], "limit": ["3"]}
    assert [candle.open_time for candle in candles] == [row[0] for row in ROWS[-3:-1]]
    assert candles[0] == Candle(
        open_time=1_699_999_860_000,
        close_time=1_699_999_919_999,
        interval="1m",
        open=1.0,
        high=3.0,
        low=0.5,
        close=2.0,
        volume=10.5,
        trades=7,
        is_closed=True,
    )


async def test_a_given_time_saves_the_question(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/klines", ROWS)
    assert len(await spot.klines("BTCUSDT", "1m", 999, now_ms=ROWS[1][6] + 1)) == 2
    assert len(await spot.klines("BTCUSDT", "1m", 999, now_ms=ROWS[1][6])) == 1
    assert {asked[0] for asked in exchange.asked} == {"/api/v3/klines"}


@pytest.mark.parametrize("limit", [0, -1, 1_000])
async def test_so_many_candles_cannot_be_asked_for(spot: RestClient, limit: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 999"):
        await spot.klines("BTCUSDT", "1m", limit)


async def test_filters_of_spot_symbols_are_asked_for_by_name(exchange: Exchange, spot: RestClient) -> None:
    listed = [{"symbol": name, "status": "TRADING", "filters": SPOT_FILTERS} for name in ("ETHBTC", "BTCUSDT", "X")]
    exchange.says("/api/v3/exchangeInfo", {"timezone": "UTC", "symbols": listed})
    expected = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.00001"), minimum_notional=Decimal(5))
    assert await spot.exchange_filters(["BTCUSDT", "ETHBTC"]) == {"BTCUSDT": expected, "ETHBTC": expected}
    assert exchange.asked[0][1] == {"symbols": ['["BTCUSDT","ETHBTC"]']}


async def test_filters_of_many_symbols_are_picked_from_all(exchange: Exchange, spot: RestClient) -> None:
    names = [f"S{number}" for number in range(150)]
    listed = [{"symbol": name, "filters": SPOT_FILTERS} for name in names]
    exchange.says("/api/v3/exchangeInfo", {"symbols": listed})
    assert list(await spot.exchange_filters(iter(names))) == names
    assert exchange.asked[0][1] == {}


async def test_filters_of_usdm_have_other_names(exchange: Exchange, usdm: RestClient) -> None:
    exchange.says("/fapi/v1/exchangeInfo", {"symbols": [{"symbol": "BTCUSDT", "filters": USDM_FILTERS}]})
    expected = SymbolFilters(tick_size=Decimal("0.1"), lot_step=Decimal("0.001"), minimum_notional=Decimal(100))
    assert await usdm.exchange_filters(["BTCUSDT"]) == {"BTCUSDT": expected}


async def test_a_symbol_without_notional_filter_has_no_minimum(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/exchangeInfo", {"symbols": [{"symbol": "A", "filters": SPOT_FILTERS[:2]}]})
    assert (await spot.exchange_filters(["A"]))["A"].minimum_notional == 0


@pytest.mark.parametrize("step", ["0.00000000", "-1", "NaN", "sNaN", "Infinity", "1E-400", "1E+400"])
@pytest.mark.parametrize("place", [0, 1])
async def test_a_step_that_is_none_is_refused_by_name(
    exchange: Exchange, spot: RestClient, place: int, step: str
) -> None:
    filters = [dict(item) for item in SPOT_FILTERS]
    key = ("tickSize", "stepSize")[place]
    filters[place][key] = step
    for broken in (filters, filters[:place] + filters[place + 1 :]):
        exchange.says("/api/v3/exchangeInfo", {"symbols": [{"symbol": "A", "filters": broken}]})
        with pytest.raises(ServiceError, match=f"'A': {key} .*leave the symbol out"):
            await spot.exchange_filters(["A"])


async def test_symbols_that_are_not_listed_are_named(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/exchangeInfo", {"symbols": [{"symbol": "A", "filters": SPOT_FILTERS}]})
    with pytest.raises(ServiceError, match="lists no 'B', 'C' on the spot market; check the spelling"):
        await spot.exchange_filters(["A", "B", "C"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not JSON</html>",
        b'{"lastUpdateId":1}',
        b'{"lastUpdateId":"x","bids":[],"asks":[]}',
        b'{"lastUpdateId":99999999999999999999,"bids":[],"asks":[]}',
        b'{"lastUpdateId":1,"bids":[["1"]],"asks":[]}',
        b'{"lastUpdateId":1,"bids":[["1","2","3"]],"asks":[]}',
        b'{"lastUpdateId":1,"bids":[[1,2]],"asks":[]}',
        b'{"lastUpdateId":1,"bids":["12"],"asks":[]}',
        b'{"lastUpdateId":1,"bids":[],"asks":[]} and more',
        b'{"lastUpdateId":1,"bids":[["\xff","1"]],"asks":[]}',
        b'{"lastUpdateId":1,"bids":[' + b'["1","1"],' * 10_000 + b'["1","1"]],"asks":[]}',
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_what_is_no_snapshot_is_refused(exchange: Exchange, spot: RestClient, body: bytes) -> None:
    exchange.says("/api/v3/depth", body=body or b" ")
    with pytest.raises(ServiceError, match=r"something else than the exchange does .*check the address"):
        await spot.depth("A", 5)


@pytest.mark.parametrize("place", [1, 2, 3, 4])
@pytest.mark.parametrize("price", ["0", "-1", "nan", "x", None])
async def test_a_candle_without_a_price_is_refused(
    exchange: Exchange, spot: RestClient, place: int, price: str | None
) -> None:
    row = [*ROWS[0]]
    row[place] = price
    exchange.says("/api/v3/klines", [row])
    with pytest.raises(ServiceError, match="something else"):
        await spot.klines("A", "1m", 5, now_ms=TIME["serverTime"])


@pytest.mark.parametrize(("status", "rest_s"), [(429, 60), (418, 120)])
@pytest.mark.parametrize("said", [None, "7", "0", "1000000000", "99999999", "soon", "-5"])
async def test_a_rest_that_is_asked_for_is_kept_without_another_request(
    exchange: Exchange, spot: RestClient, clock: ManualClock, status: int, rest_s: float, said: str | None
) -> None:
    expected = {"7": 7, "0": 1, "99999999": 259_200}.get(said or "", rest_s)
    head = f"Retry-After: {said}\r\n" if said else ""
    exchange.says("/api/v3/time", {"code": -1003, "msg": "Way too many"}, status=status, head=head)
    with pytest.raises(RateLimited, match=f"rest of {expected} s") as caught:
        await spot.time()
    assert caught.value.retry_after_s == expected
    exchange.says("/api/v3/time", TIME)
    clock.advance(seconds(expected - 0.5))
    with pytest.raises(RateLimited) as caught:
        await spot.time()
    assert caught.value.retry_after_s == pytest.approx(0.5)
    assert len(exchange.asked) == 1
    clock.advance(seconds(0.5))
    assert await spot.time() == TIME["serverTime"]


@pytest.mark.parametrize(
    ("status", "words", "told"),
    [
        (400, b'{"code":-1121,"msg":"Invalid symbol."}', r"HTTP 400 \(-1121: Invalid symbol.\); check symbol"),
        (400, b"nonsense", "HTTP 400; check symbol, interval and market"),
        (403, b"<html>", "HTTP 403; its firewall refused us"),
        (404, b"", "HTTP 404; nothing is at this path: check the address and the market"),
        (451, b'{"code":0,"msg":"Service unavailable"}', r"HTTP 451 .*does not serve this place.*vision"),
        (500, b"", "HTTP 500; the trouble is on its side: try again later"),
        (503, b"x" * 1_000, "HTTP 503; the trouble is on its side"),
        (204, b"", "HTTP 204"),
    ],
)
async def test_a_refusal_says_what_to_do(
    exchange: Exchange, spot: RestClient, status: int, words: bytes, told: str
) -> None:
    exchange.answers["/api/v3/time"] = f"HTTP/1.1 {status} Any\r\nContent-Length: {len(words)}\r\n\r\n".encode() + words
    with pytest.raises(ServiceError, match=f"127.0.0.1 refused /time with {told}"):
        await spot.time()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(exchange: Exchange, spot: RestClient, status: int) -> None:
    exchange.says("/other", TIME)
    exchange.says("/api/v3/time", {}, status=status, head="Location: /other\r\n")
    with pytest.raises(ServiceError, match="redirects are not followed"):
        await spot.time()
    assert len(exchange.asked) == 1


async def test_words_of_the_exchange_stand_on_one_short_line_without_secrets(
    exchange: Exchange, spot: RestClient
) -> None:
    words = "a\nb\x1b[31m https://me:hidden@host/ " + "z" * 5_000
    exchange.says("/api/v3/time", {"code": 1, "msg": words}, status=400)
    with pytest.raises(ServiceError) as caught:
        await spot.time()
    text = str(caught.value)
    assert text.isprintable()
    assert "hidden" not in text
    assert len(text) < 400


@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
async def test_a_body_that_is_too_large_is_not_read_on(
    exchange: Exchange,
    spot: RestClient,
    monkeypatch: pytest.MonkeyPatch,
    told: bool,  # noqa: FBT001 - a case
) -> None:
    monkeypatch.setattr(rest, "_EXCHANGE_INFO_BYTES", 100_000)
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    if told:
        exchange.answers["/api/v3/exchangeInfo"] = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b" " * 900_000
    else:
        exchange.answers["/api/v3/exchangeInfo"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 14
    with pytest.raises(ServiceError, match="more than 100,000 bytes"):
        await spot.exchange_filters(["A"])


async def test_a_compressed_answer_is_refused_unread(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/time", head="Content-Encoding: gzip\r\n", body=gzip.compress(json.dumps(TIME).encode()))
    with pytest.raises(ServiceError, match="compressed"):
        await spot.time()
    assert "accept-encoding: identity" in exchange.asked[0][2].lower()


async def test_an_answer_that_never_comes_is_given_up(
    exchange: Exchange, spot: RestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "DEADLINE_S", 0.05)
    exchange.hang = True
    with pytest.raises(ServiceError, match="no whole answer"):
        await spot.time()


async def test_a_body_that_ends_early_is_an_error(exchange: Exchange, spot: RestClient) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"serverTime":1')
        writer.close()

    exchange.serve = cut  # type: ignore[method-assign]
    with pytest.raises(ServiceError, match="cannot be asked"):
        await spot.time()


async def test_nobody_at_the_address_is_told_with_the_way_out() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with RestClient(f"http://127.0.0.1:{port}", "spot") as client:
        with pytest.raises(ServiceError, match=r"127.0.0.1 cannot be asked: .*check the address and the network"):
            await client.time()


async def test_proxies_and_netrc_of_the_environment_are_not_looked_at(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hidden\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    exchange.says("/api/v3/time", TIME)
    async with RestClient(exchange.base_url, "spot") as client:
        assert await client.time() == TIME["serverTime"]
    assert "authorization" not in exchange.asked[0][2].lower()


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.binance.com",
        "ftp://api.binance.com",
        "https://",
        "https://me:hidden@api.binance.com",
        "https://api.binance.com?x=1",
        "http://[::1",
        "http://127.0.0.1:x",
    ],
)
def test_what_is_no_address_is_refused(base_url: str) -> None:
    with pytest.raises(ServiceError, match="is no address of a REST interface") as caught:
        RestClient(base_url, "spot")
    assert "hidden" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of its own making, and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not here")
    path = tmp_path / "certificate.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run([openssl, *request, *names, "-keyout", "-"], check=True, capture_output=True)
    path.write_bytes(made.stdout)
    return path


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    exchange = Exchange()
    exchange.says("/api/v3/time", TIME)
    server = await asyncio.start_server(exchange.serve, "127.0.0.1", 0, ssl=context)
    async with server, RestClient(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", "spot") as client:
        with pytest.raises(ServiceError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.time()
    assert exchange.asked == []


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "market", "path"),
    [("spot-10-symbols-2021-04", "spot", "/api/v3/depth"), ("usdm-5-symbols-2021-04", "usdm", "/fapi/v1/depth")],
)
async def test_snapshots_that_binance_sent_are_read(
    exchange: Exchange, shared_recordings: Path, tmp_path: Path, name: str, market: Any, path: str
) -> None:
    import_raw(shared_recordings / "cryptofeed" / f"{name}.raw", tmp_path / "x.jsonl")
    bodies = [frame.body for frame in load(tmp_path / "x.jsonl").frames if frame.connection != "market"]
    async with RestClient(exchange.base_url, market) as client:
        for body in bodies:
            exchange.says(path, body=body)
            snapshot = await client.depth("A", 1_000)
            document = json.loads(body)
            assert [snapshot.last_update_id, snapshot.bids, snapshot.asks] == [
                document[key] for key in ("lastUpdateId", "bids", "asks")
            ]


async def test_many_may_ask_at_once(exchange: Exchange, spot: RestClient) -> None:
    exchange.says("/api/v3/time", TIME)
    questions: list[Callable[[], Awaitable[int]]] = [spot.time] * 20
    assert await asyncio.gather(*(ask() for ask in questions)) == [TIME["serverTime"]] * 20
