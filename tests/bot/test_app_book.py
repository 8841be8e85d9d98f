"""The whole bot with whole order books: depth snapshots over HTTP while the market stands still."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from harness.bot.app import Bot
from harness.bot.rest import RestClient
from harness.bot.settings import BotSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.bot.plan import Plan
    from harness.recordings.format import Recording
    from tests.bot.conftest import Watched

LIMIT_S = 60.0
#: Holds the snapshots that belong to its streams.
RECORDING = "spot-btc-eth-dot-kline-2021-04"


@pytest.fixture
def interface(real_recordings: dict[str, Recording]) -> Iterator[tuple[str, list[str]]]:
    """The recorded snapshots over HTTP, and who was asked for."""
    snapshots = {
        parse_qs(frame.connection.partition("?")[2])["symbol"][0]: frame.body
        for frame in real_recordings[RECORDING].frames
        if "/depth?" in frame.connection
    }
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(parse_qs(urlsplit(self.path).query)["symbol"][0])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(snapshots[asked[-1]])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.shared
async def test_every_symbol_with_a_depth_stream_has_its_book_after_one_snapshot(
    interface: tuple[str, list[str]],
    real_frames: dict[str, list[bytes]],
    plan_of: Callable[..., Plan],
    watched: type[Watched],
) -> None:
    url, asked = interface
    frames = [frame.decode() for frame in real_frames[RECORDING]]
    # A symbol whose stream was silent has no book.
    symbols = {json.loads(frame)["data"]["s"] for frame in frames if "@depth" in frame[:40]}

    async def market(connection: ServerConnection) -> None:
        for frame in frames:
            await connection.send(frame)

    async with serve(market, "127.0.0.1", 0, compression=None) as server, RestClient(url, "spot") as rest:
        port = server.sockets[0].getsockname()[1]
        plan = plan_of(f"ws://127.0.0.1:{port}", settings=BotSettings(book=True), rest=rest)
        bot = Bot(plan, watched())
        report = await asyncio.wait_for(bot.run(), LIMIT_S)
    assert sorted(asked) == sorted(symbols)
    assert report.frames == len(frames)
    assert report.counters["books"] == len(symbols) > 1
    assert report.counters["depth_gaps"] == report.counters["depth_malformed"] == 0
    assert bot.trading is not None
    for symbol in symbols:
        book = bot.trading.desk.market.symbols[symbol].book
        assert book is not None
        assert 0 < book.best_bid < book.best_ask
