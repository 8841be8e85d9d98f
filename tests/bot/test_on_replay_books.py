"""Whole order books, candles and filters from the REST requests that the replay itself answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from harness.bot.app import Bot
from harness.bot.connection.policy import ConnectionPolicy
from harness.bot.rest import RestClient
from harness.bot.settings import BotSettings
from harness.bot.storage.database import create_schema, drop_schema
from harness.exchange import streams
from harness.exchange.events import BookTicker
from harness.replay.pacing import Pace
from harness.replay.rest.books import recorded_books

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.bot.metrics import BotReport
    from harness.bot.plan import Plan
    from tests.bot.replaying import Replay

FRAMES = 6_000
LIMIT_S = 60.0
KEPT = ConnectionPolicy(after_orderly_close="end", first_pause_s=0.01, longest_pause_s=0.05)


class Envelope(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class Comparing:
    """Holds each symbol's book against the book ticker of the same update id, and remembers all that it looked at."""

    def __init__(self) -> None:
        self.bot: Bot | None = None
        self.books: list[tuple[str, int, tuple[float, ...]]] = []
        """Symbol, update id, and the best prices and quantities of its book."""
        self.agreeing = 0
        self.differing: list[tuple[Any, ...]] = []
        self._tickers: dict[str, BookTicker] = {}

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def watched(frame: bytes) -> None:
            on_frame(frame)
            envelope = msgspec.json.decode(frame, type=Envelope)
            stream = streams.parse(envelope.stream)
            if stream.kind == "bookTicker":
                self._tickers[stream.symbol] = msgspec.json.decode(envelope.data, type=BookTicker, strict=False)
            elif stream.kind != "depth":
                return
            self._look(stream.symbol, self._tickers.get(stream.symbol))

        return watched

    def _look(self, symbol: str, ticker: BookTicker | None) -> None:
        assert self.bot is not None
        assert self.bot.trading is not None
        sync = self.bot.trading.desk.depth._syncs.get(symbol)
        if sync is None or sync.book is None:
            return
        best = (*sync.book.bids(1)[0], *sync.book.asks(1)[0])
        self.books.append((symbol, sync.last_id, best))
        if ticker is None or ticker.update_id != sync.last_id:
            return
        told = (ticker.bid, ticker.bid_quantity, ticker.ask, ticker.ask_quantity)
        self.agreeing += best == told
        if best != told:
            self.differing.append((symbol, sync.last_id, best, told))


def live(replay: Replay, plan_of: Callable[..., Plan], **others: Any) -> tuple[Comparing, BotReport]:
    """As `tickproof bot run` does it: filters and past candles first, then the market with its books."""
    comparing = Comparing()

    async def run() -> BotReport:
        symbols = tuple(replay.recording.header.filters)
        async with RestClient(replay.rest_url, "spot") as rest:
            plan = plan_of(replay.market_url, settings=BotSettings(book=True), rest=rest, warm_up=symbols, **others)
            filters = await rest.exchange_filters(symbols)
            assert filters == replay.recording.header.filters
            comparing.bot = Bot(replace(plan, filters=filters), comparing)
            return await asyncio.wait_for(comparing.bot.run(), LIMIT_S)

    return comparing, asyncio.run(run())


@pytest.mark.parametrize(
    ("snapshots", "pace"),
    [("fixed", Pace()), ("fixed", Pace(rate=6_000.0)), ("current", Pace(rate=6_000.0))],
    ids=["fixed in a flood", "fixed and paced", "current and paced"],
)
def test_every_symbol_has_a_book_that_agrees_with_its_book_tickers(
    snapshots: Literal["fixed", "current"], pace: Pace, replay_of: Callable[..., Replay], plan_of: Callable[..., Plan]
) -> None:
    with replay_of(FRAMES, pace=pace, snapshots=snapshots) as replay:
        seen, report = live(replay, plan_of, policy=KEPT)
        recorded = recorded_books(replay.recording.frames)
    assert report.frames == FRAMES
    assert report.counters["books"] == len(recorded) == 30
    assert report.counters["depth_gaps"] == report.counters["depth_malformed"] == report.counters["depth_crossed"] == 0
    # Earlier than the recorded snapshot nobody knows the levels that changed until it came.
    assert [each for each in seen.differing if each[1] >= recorded[each[0]][0].lastUpdateId] == []
    assert seen.agreeing > 100


def test_with_fixed_snapshots_two_runs_see_the_same_books_and_decide_the_same(
    replay_of: Callable[..., Replay],
    plan_of: Callable[..., Plan],
    database_url: str,
    schema: str,
    tmp_path: Path,
) -> None:
    runs = []
    for number, pace in enumerate((Pace(), Pace(rate=8_000.0))):
        own: dict[str, Any] = {"schema": f"{schema}_{number}", "journal": tmp_path / f"{number}.sqlite3"}
        asyncio.run(create_schema(database_url, own["schema"]))
        with replay_of(FRAMES, pace=pace, snapshots="fixed") as replay:
            seen, report = live(replay, plan_of, **own)
        asyncio.run(drop_schema(database_url, own["schema"]))
        runs.append((seen.books, report.digest))
    assert len(runs[0][0]) > FRAMES // 2
    assert runs[0] == runs[1]
