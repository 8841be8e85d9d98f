from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bot.ledger import TradeRecord
from harness.bot.outbox import Outbox
from harness.bot.strategy import Features

if TYPE_CHECKING:
    from collections.abc import Sequence

FEATURES = Features(0.0, 0.0, 0.0, 0.0, 0.0)


def record(number: int) -> TradeRecord:
    return TradeRecord(
        trade_id=str(number),
        symbol="AAA",
        quantity=Decimal(1),
        entry_price=Decimal(1),
        opened_ms=1,
        features=FEATURES,
        fees=Decimal(0),
    )


class Market:
    """What an outbox holds up."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.outbox = Outbox(lambda: self.calls.append("pause"), lambda: self.calls.append("resume"))

    def put(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.outbox.put(record(number))


class Writer:
    """A database that takes its time, one turn of the loop, and may say no."""

    def __init__(self, *, fail_at: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self.fail_at = fail_at

    async def write(self, batch: list[TradeRecord]) -> None:
        await asyncio.sleep(0)
        if len(self.batches) == self.fail_at:
            raise OSError("the server is gone")
        self.batches.append([int(trade.trade_id) for trade in batch])

    @property
    def written(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


async def test_what_was_put_is_written_once_and_in_order() -> None:
    market, writer = Market(), Writer()
    market.put(range(1_234))
    market.outbox.finish()
    await market.outbox.drain(writer.write)
    assert writer.written == list(range(1_234))
    assert [len(batch) for batch in writer.batches] == [500, 500, 234]
    assert market.calls == []


async def test_an_empty_outbox_ends_at_once_when_finished() -> None:
    market, writer = Market(), Writer()
    market.outbox.finish()
    await market.outbox.drain(writer.write)
    assert writer.batches == []


async def test_the_market_waits_from_the_high_mark_until_below_the_low_one() -> None:
    market, writer = Market(), Writer()
    market.put(range(Outbox.HIGH - 1))
    assert market.calls == []
    market.put([Outbox.HIGH - 1])
    assert market.calls == ["pause"]
    market.put(range(Outbox.HIGH, Outbox.HIGH + 10))  # frames that were under way already
    assert market.calls == ["pause"]
    marks = []

    async def write(batch: list[TradeRecord]) -> None:
        marks.append((market.outbox.statistics.waiting, list(market.calls)))
        await writer.write(batch)

    market.outbox.finish()
    await market.outbox.drain(write)
    assert marks == [
        (2_010, ["pause"]),
        (1_510, ["pause"]),
        (1_010, ["pause"]),
        (510, ["pause"]),
        (10, ["pause", "resume"]),
    ]
    assert market.calls == ["pause", "resume"]
    assert (market.outbox.statistics.peak, market.outbox.statistics.pauses) == (2_010, 1)
    assert writer.written == list(range(Outbox.HIGH + 10))


async def test_a_market_that_fills_it_again_waits_again() -> None:
    market, writer = Market(), Writer()
    filling = Outbox.HIGH + 100

    async def write(batch: list[TradeRecord]) -> None:
        await writer.write(batch)
        if len(writer.written) == filling:  # all of the first filling: here comes the second
            market.put(range(filling, 2 * filling))
            market.outbox.finish()

    market.put(range(filling))
    await market.outbox.drain(write)
    assert market.calls == ["pause", "resume", "pause", "resume"]
    assert market.outbox.statistics.pauses == 2
    assert writer.written == list(range(2 * filling))


async def test_a_writer_s_error_comes_out_and_the_batch_stays() -> None:
    market, writer = Market(), Writer(fail_at=1)
    market.put(range(1_200))
    market.outbox.finish()
    with pytest.raises(OSError, match="gone"):
        await market.outbox.drain(writer.write)
    assert market.outbox.statistics.waiting == 700
    writer.fail_at = None
    await market.outbox.drain(writer.write)
    assert writer.written == list(range(1_200))


async def test_ended_in_the_middle_of_a_write_nothing_is_lost() -> None:
    market = Market()
    market.put(range(3))
    begun = asyncio.Event()

    async def never(batch: list[TradeRecord]) -> None:
        del batch
        begun.set()
        await asyncio.Event().wait()

    drain = asyncio.create_task(market.outbox.drain(never))
    await begun.wait()
    drain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drain
    assert market.outbox.statistics.waiting == 3


@given(bursts=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 6)), max_size=8))
@settings(max_examples=40)
def test_whatever_the_bursts_nothing_is_lost_or_written_twice(bursts: list[tuple[int, int]]) -> None:
    async def run() -> tuple[Market, Writer, int]:
        market, writer = Market(), Writer()
        drain = asyncio.create_task(market.outbox.drain(writer.write))
        total = 0
        for size, turns in bursts:
            market.put(range(total, total + size))
            total += size
            for _ in range(turns):
                await asyncio.sleep(0)
        market.outbox.finish()
        await drain
        return market, writer, total

    market, writer, total = asyncio.run(run())
    assert writer.written == list(range(total))
    assert all(0 < len(batch) <= Outbox.BATCH for batch in writer.batches)
    pauses = market.outbox.statistics.pauses
    assert market.calls == (["pause", "resume"] * pauses)[: len(market.calls)]
    assert len(market.calls) >= 2 * pauses - 1  # a market that has closed is not told to go on
    assert market.outbox.statistics.waiting == 0
