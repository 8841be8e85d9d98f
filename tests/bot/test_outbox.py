from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backends.backoff import Backoff
from harness.bot.decision import Decision
from harness.bot.storage.journal import Journal, JournalFull
from harness.bot.storage.outbox import Outbox
from harness.clock import ManualClock
from harness.errors import ServiceError
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from types import ModuleType
    from typing import Any

    from _pytest.logging import LogCaptureFixture

    from harness.exchange.orders import Order


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "bot.journal")
    yield opened
    await opened.close()


class Market:
    """What an outbox holds up, and the gateway behind it."""

    def __init__(self, journal: Journal, **options: Any) -> None:
        self.calls: list[str] = []
        self.sent: list[str] = []
        self.journal = journal
        self.clock = ManualClock()
        self.outbox = Outbox(
            journal,
            self.send,
            lambda: self.calls.append("pause"),
            lambda: self.calls.append("resume"),
            clock=self.clock,
            backoff=Backoff(1.0, 8.0, chance=lambda: 1.0),
            **options,
        )

    def send(self, order: Order) -> None:
        self.sent.append(order.client_order_id)
        assert len(set(self.sent)) <= self.journal.counts.orders, "sent before it was journalled"

    def put(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            self.outbox.put(decision)

    async def run(self) -> None:
        """Until all is done."""
        running = asyncio.create_task(self.outbox.run())
        await self.outbox.finish(60.0)
        await running


def orders_of(samples: ModuleType, numbers: Sequence[int]) -> list[Decision]:
    return [Decision(order=samples.order(number)) for number in numbers]


def ids(numbers: Sequence[int]) -> list[str]:
    return [f"1-{number}-B" for number in numbers]


async def test_what_was_put_is_journalled_and_then_sent_once_and_in_order(
    journal: Journal, samples: ModuleType
) -> None:
    market = Market(journal)
    market.put([samples.entry(number) for number in range(1_234)])
    assert market.outbox.statistics.waiting == 1_234
    await market.run()
    assert market.sent == ids(range(1_234))
    assert (journal.counts.orders, journal.counts.writes) == (1_234, 2_468)
    found = market.outbox.statistics
    assert (found.waiting, found.peak, found.journalled, found.sent) == (0, 1_234, 1_234, 1_234)
    assert market.calls == []


async def test_a_decision_without_an_order_is_journalled_only(journal: Journal, samples: ModuleType) -> None:
    market = Market(journal)
    market.put([Decision(signal=samples.signal(1)), Decision(order=samples.order(2))])
    await market.run()
    assert market.sent == ids([2])
    assert journal.counts.writes == 1


async def test_an_empty_outbox_ends_at_once_when_finished(journal: Journal) -> None:
    market = Market(journal)
    await market.run()
    assert market.sent == []


async def test_orders_that_an_earlier_life_left_are_sent_first_and_under_their_own_ids(
    journal: Journal, samples: ModuleType
) -> None:
    await journal.append([samples.entry(number) for number in range(3)])
    await journal.settle(ids([1]))
    market = Market(journal)
    market.put([samples.entry(7)])
    await market.run()
    assert market.sent == ids([0, 2, 7])
    assert journal.counts.writes == 8, "their records are not written a second time"


async def test_ended_between_journalling_and_sending_it_sends_when_it_runs_again(
    journal: Journal, samples: ModuleType
) -> None:
    full, looked = True, asyncio.Event()

    async def sleep(pause: float) -> None:
        del pause
        looked.set()
        await asyncio.Event().wait()

    market = Market(journal, is_full=lambda: full, sleep=sleep)
    market.put([samples.entry(number) for number in range(3)])
    running = asyncio.create_task(market.outbox.run())
    await looked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (market.sent, market.outbox.statistics.waiting) == ([], 3)
    full = False
    await market.run()
    assert market.sent == ids(range(3))


async def test_a_full_gateway_is_waited_for(journal: Journal, samples: ModuleType) -> None:
    looks: list[float] = []

    async def sleep(pause: float) -> None:
        looks.append(pause)
        await asyncio.sleep(0)

    market = Market(journal, is_full=lambda: len(looks) < 5, sleep=sleep)
    market.put([samples.entry(1)])
    await market.run()
    assert (market.sent, len(looks)) == (ids([1]), 5)


async def test_the_market_waits_from_the_high_mark_until_below_the_low_one(
    journal: Journal, samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = Market(journal)
    market.put(orders_of(samples, range(Outbox.HIGH - 1)))
    assert market.calls == []
    market.put(orders_of(samples, [Outbox.HIGH - 1]))
    assert market.calls == ["pause"]
    assert market.outbox.paused
    market.put(orders_of(samples, range(Outbox.HIGH, Outbox.HIGH + 10)))  # frames that were under way already
    assert market.calls == ["pause"]
    assert market.outbox.statistics.reasons == ("outbox full",)
    market.clock.advance(seconds(2))
    assert (market.outbox.statistics.paused_now, market.outbox.statistics.paused_ns) == (True, seconds(2))
    marks = []
    append = journal.append

    async def watched(batch: Sequence[Decision]) -> None:
        marks.append((len(batch), list(market.calls)))
        await append(batch)

    monkeypatch.setattr(journal, "append", watched)
    await market.run()
    assert marks == [(500, ["pause"])] * 4 + [(10, ["pause", "resume"])]
    assert market.calls == ["pause", "resume"]
    found = market.outbox.statistics
    assert (found.peak, found.pauses, found.paused_ns, found.paused_now, found.reasons) == (
        2_010,
        1,
        seconds(2),
        False,
        (),
    )
    assert market.sent == ids(range(Outbox.HIGH + 10))


def failing(journal: Journal, times: int, error: Exception) -> Callable[[Sequence[Decision]], Any]:
    append, left = journal.append, times

    async def fails(batch: Sequence[Decision]) -> None:
        nonlocal left
        if left:
            left -= 1
            raise error
        await append(batch)

    return fails


async def test_a_disk_that_fails_holds_the_market_until_it_works_and_loses_nothing(
    journal: Journal, samples: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "append", failing(journal, 5, JournalFull("the disk is full")))
    seen: list[tuple[float, tuple[str, ...], str, int]] = []

    async def sleep(pause: float) -> None:
        found = market.outbox.statistics
        seen.append((pause, found.reasons, found.trouble, found.waiting))
        market.clock.advance(seconds(pause))
        await asyncio.sleep(0)

    market = Market(journal, sleep=sleep)
    market.put([samples.entry(number) for number in range(3)])
    await market.run()
    trouble = (("journal cannot be written",), "the disk is full", 3)
    assert seen == [(pause, *trouble) for pause in (1.0, 2.0, 4.0, 8.0, 8.0)]
    assert market.calls == ["pause", "resume"]
    assert market.sent == ids(range(3))
    assert market.outbox.statistics.paused_ns == seconds(23)
    assert market.outbox.statistics.trouble == ""
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "WARNING"]
    assert [record.getMessage() for record in caplog.records] == [
        "the disk is full; trying again until it works",
        "the market waits: journal cannot be written",
        "the journal works again",
    ]


async def test_the_second_outage_of_the_disk_begins_with_the_short_pause(
    journal: Journal, samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    async def sleep(pause: float) -> None:
        pauses.append(pause)
        await asyncio.sleep(0)

    market = Market(journal, sleep=sleep)
    for number in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(journal, "append", failing(journal, 2, ServiceError("no disk")))
            market.put([samples.entry(number)])
            await market.run()
    assert pauses == [1.0, 2.0, 1.0, 2.0]


async def test_a_market_is_held_while_postgresql_is_far_behind(journal: Journal, samples: ModuleType) -> None:
    market = Market(journal, maximum_pending=10)
    market.put([samples.entry(number) for number in range(4)])
    await market.run()
    assert market.calls == []
    market.put([samples.entry(4)])
    await market.run()
    assert market.calls == ["pause"]
    assert list(market.outbox.statistics.reasons) == ["journal full"]
    await journal.confirm(4)
    assert market.calls == ["pause"]
    await journal.confirm(5)
    assert market.calls == ["pause", "resume"]
    assert list(market.outbox.statistics.reasons) == []


async def test_a_market_is_held_while_too_many_orders_have_no_end(journal: Journal, samples: ModuleType) -> None:
    market = Market(journal, maximum_unsettled=4)
    market.put(orders_of(samples, range(4)))
    await market.run()
    assert market.outbox.statistics.reasons == ("too many unsettled orders",)
    await journal.settle(ids([0]))
    assert market.calls == ["pause"]
    await journal.settle(ids([1]))
    assert market.calls == ["pause", "resume"]


async def test_a_market_that_is_held_for_two_reasons_goes_on_after_both(journal: Journal, samples: ModuleType) -> None:
    market = Market(journal, maximum_pending=4, maximum_unsettled=2)
    market.put([samples.entry(number) for number in range(2)])
    await market.run()
    assert market.outbox.statistics.reasons == ("journal full", "too many unsettled orders")
    await journal.confirm(4)
    assert market.calls == ["pause"]
    await journal.settle(ids([0, 1]))
    assert market.calls == ["pause", "resume"]
    assert market.outbox.statistics.pauses == 1


async def test_a_journal_that_is_full_at_the_start_holds_the_market_at_once(
    journal: Journal, samples: ModuleType
) -> None:
    await journal.append([samples.entry(number) for number in range(5)])
    assert Market(journal, maximum_pending=10).outbox.paused


async def test_a_finish_that_takes_too_long_says_what_is_left(
    journal: Journal, samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "append", failing(journal, 10**9, ServiceError("no disk")))
    market = Market(journal, sleep=lambda _: asyncio.sleep(0))
    market.put([samples.entry(number) for number in range(3)])
    running = asyncio.create_task(market.outbox.run())
    with pytest.raises(ServiceError, match=r"3 decisions are not journalled and 0 orders not sent after 0\.01 s: no d"):
        await market.outbox.finish(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert market.outbox.statistics.waiting == 3


class MemoryJournal:
    """Takes one turn of the loop, and no disk."""

    def __init__(self) -> None:
        self.batches: list[list[Order]] = []
        self.counts = type("Counts", (), {"orders": 0, "writes": 0})

    def watch(self, call: Callable[[], None]) -> None:
        del call

    async def unsettled(self) -> list[Order]:
        return []

    async def append(self, decisions: Sequence[Decision]) -> None:
        await asyncio.sleep(0)
        self.batches.append([one.order for one in decisions if one.order])


@given(bursts=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 6)), max_size=8))
@settings(max_examples=40)
def test_whatever_the_bursts_nothing_is_lost_or_sent_twice(samples: ModuleType, bursts: list[tuple[int, int]]) -> None:
    made = orders_of(samples, range(3_000))

    async def run() -> tuple[Outbox, MemoryJournal, int]:
        running = asyncio.create_task(outbox.run())
        total = 0
        for size, turns in bursts:
            for decision in made[:size]:
                outbox.put(decision)
            total += size
            for _ in range(turns):
                await asyncio.sleep(0)
        await outbox.finish()
        await running
        return outbox, journal, total

    calls: list[str] = []
    sent: list[Order] = []
    journal: Any = MemoryJournal()
    outbox = Outbox(journal, sent.append, lambda: calls.append("pause"), lambda: calls.append("resume"))
    _, _, total = asyncio.run(run())
    assert sent == [order for batch in journal.batches for order in batch]
    assert sent == [made[number].order for size, _ in bursts for number in range(size)]
    assert len(sent) == total
    assert all(0 < len(batch) <= Outbox.BATCH for batch in journal.batches)
    assert calls == ["pause", "resume"] * outbox.statistics.pauses
