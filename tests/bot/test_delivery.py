from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.backoff import Backoff
from harness.backends.registry import registry
from harness.bot.decision import Decision
from harness.bot.storage.database import PooledDatabase, create_schema
from harness.bot.storage.delivery import Delivery
from harness.bot.storage.failures import DataRefused, Unreachable
from harness.bot.storage.journal import Journal
from harness.bot.storage.migrations import migrate
from harness.clock import ManualClock
from harness.errors import ServiceError
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from types import ModuleType

    from _pytest.logging import LogCaptureFixture

    from harness.bot.decision import SignalRecord
    from harness.bot.ledger import TradeRecord
    from tests.bot.servers import Mortal

JSON = registry().codec("json")
#: A silent server is given this long.
LIMIT_S = 0.5


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "bot.journal")
    yield opened
    await opened.close()


@pytest.fixture
async def database(database_url: str, schema: str) -> AsyncIterator[PooledDatabase]:
    opened = await PooledDatabase.open(database_url, schema, JSON, size=2)
    await migrate(opened)
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def delivering(delivery: Delivery) -> AsyncIterator[None]:
    running = asyncio.create_task(delivery.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def ids(database: PooledDatabase) -> list[str]:
    return [name for (name,) in await database.fetch("select trade_id from trades order by opened_at, trade_id")]


class Saved:
    """A database that may be away."""

    def __init__(self, *, away: Sequence[Exception] = ()) -> None:
        self.batches: list[tuple[list[str], list[str]]] = []
        self.away = list(away)

    async def __call__(self, database: object, trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]) -> None:
        del database
        if self.away:
            raise self.away.pop(0)
        self.batches.append(([one.trade_id for one in trades], [one.signal_id for one in signals]))


class Sleeper:
    """Sleeps in no time, by a clock that it advances."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []
        self.watch: Callable[[], None] = lambda: None

    async def __call__(self, pause: float) -> None:
        self.pauses.append(pause)
        self.clock.advance(seconds(pause))
        self.watch()
        await asyncio.sleep(0)


def of(journal: Journal, database: Any, **options: Any) -> Delivery:
    return Delivery(journal, database, **{"backoff": Backoff(1.0, 8.0, chance=lambda: 1.0), "gather_s": 0.0, **options})


async def test_what_is_in_the_journal_is_saved_in_batches_and_confirmed(journal: Journal, samples: ModuleType) -> None:
    await journal.append([samples.entry(number) for number in range(600)])
    saved = Saved()
    delivery = of(journal, None, save=saved)
    async with delivering(delivery):
        await delivery.idle()
    assert [len(trades) + len(signals) for trades, signals in saved.batches] == [500, 500, 200]
    assert [trade for trades, _ in saved.batches for trade in trades] == [f"1-{number}-B" for number in range(600)]
    assert journal.counts.writes == 0
    found = delivery.statistics
    assert (found.delivered, found.batches, found.waiting, found.outages) == (1_200, 3, 0, 0)


async def test_what_comes_later_is_delivered_too_and_an_empty_journal_is_idle(
    journal: Journal, samples: ModuleType
) -> None:
    saved = Saved()
    delivery = of(journal, None, save=saved)
    await delivery.idle()
    async with delivering(delivery):
        for number in range(3):
            await journal.append([Decision(trade=samples.opened(number))])
            await delivery.idle()
    assert saved.batches == [([f"1-{number}-B"], []) for number in range(3)]


async def test_a_batch_that_is_not_full_is_given_time_to_become_so(journal: Journal, samples: ModuleType) -> None:
    sleep, saved = Sleeper(), Saved()
    delivery = of(journal, None, save=saved, sleep=sleep, gather_s=0.25)
    await journal.append([samples.entry(1)])
    async with delivering(delivery):
        await delivery.idle()
    assert sleep.pauses == [0.25]


async def test_who_wants_to_know_is_told_what_was_saved_once_it_is(
    journal: Journal, database: PooledDatabase, samples: ModuleType
) -> None:
    told: list[tuple[list[str], list[str], list[str]]] = []

    async def on_saved(trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]) -> None:
        assert journal.counts.writes == 4, "told before the journal forgets"
        told.append((await ids(database), [one.trade_id for one in trades], [one.signal_id for one in signals]))

    await journal.append([samples.entry(1), samples.entry(2)])
    await of(journal, database, on_saved=on_saved).flush()
    assert told == [(["1-1-B", "1-2-B"], ["1-1-B", "1-2-B"], ["1-1", "1-2"])]


async def test_a_server_that_is_away_is_tried_ever_more_slowly_and_said_once(
    journal: Journal, samples: ModuleType, caplog: LogCaptureFixture
) -> None:
    await journal.append([samples.entry(1)])
    sleep, saved = Sleeper(), Saved(away=[Unreachable("nobody there")] * 6)
    delivery = of(journal, None, save=saved, sleep=sleep, clock=sleep.clock)
    seen = []
    sleep.watch = lambda: seen.append((delivery.statistics.trouble, delivery.statistics.outage_ns))
    async with delivering(delivery):
        await delivery.idle()
    assert sleep.pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert seen[0] == ("nobody there", seconds(1))
    found = delivery.statistics
    assert (found.outages, found.retries, found.outage_ns, found.trouble) == (1, 6, seconds(31), "")
    assert [record.getMessage() for record in caplog.records] == [
        "nobody there; records are kept in the journal and tried again",
        "PostgreSQL takes records again after 31.0 s",
    ]
    saved.away = [ServiceError("no such table")]  # whatever it is, as long as it is not the record's fault
    await journal.append([samples.entry(2)])
    async with delivering(delivery):
        await delivery.idle()
    assert (sleep.pauses[-1], delivery.statistics.outages) == (1.0, 2)
    assert saved.batches == [(["1-1-B"], ["1-1"]), (["1-2-B"], ["1-2"])]


async def test_a_flush_does_not_wait_for_a_server_that_is_away(journal: Journal, samples: ModuleType) -> None:
    await journal.append([samples.entry(1)])
    saved = Saved(away=[Unreachable("nobody there")])
    delivery = of(journal, None, save=saved)
    with pytest.raises(Unreachable, match="nobody there"):
        await delivery.flush()
    await delivery.flush()
    assert (saved.batches, journal.counts.writes) == ([(["1-1-B"], ["1-1"])], 0)


async def test_a_confirmation_that_was_lost_makes_a_repetition_and_no_gap(
    journal: Journal, samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.append([samples.entry(1)])
    saved = Saved()
    delivery = of(journal, None, save=saved)

    async def fails(up_to: int) -> None:
        raise ServiceError(f"no disk for {up_to}")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "confirm", fails)
        with pytest.raises(ServiceError, match="no disk"):
            await delivery.flush()
    await delivery.flush()
    assert saved.batches == [(["1-1-B"], ["1-1"])] * 2
    assert journal.counts.writes == 0


@pytest.mark.parametrize("bad", [[0], [39], [17], [3, 4, 30], [*range(40)]], ids=str)
async def test_records_that_are_refused_are_set_aside_and_the_others_saved(
    journal: Journal,
    database: PooledDatabase,
    samples: ModuleType,
    bad: list[int],
    caplog: LogCaptureFixture,
) -> None:
    def trade(number: int) -> TradeRecord:
        made: TradeRecord = samples.opened(number)
        return replace(made, strategy="\x00") if number in bad else made

    await journal.append([Decision(trade=trade(number)) for number in range(40)])
    delivery = of(journal, database)
    async with delivering(delivery):
        await delivery.idle()
    assert await ids(database) == [f"1-{number}-B" for number in range(40) if number not in bad]
    refused = await journal.refused()
    assert [one.record for one in refused] == [trade(number) for number in reversed(bad)]
    assert all("PostgreSQL at" in one.reason for one in refused)
    found = delivery.statistics
    assert (found.refused, found.delivered, found.outages) == (len(bad), 40 - len(bad), 0)
    assert len([record for record in caplog.records if "set aside" in record.getMessage()]) == len(bad)


async def test_few_transactions_find_the_one_that_is_refused(journal: Journal, samples: ModuleType) -> None:
    tries = 0

    async def save(database: object, trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]) -> None:
        nonlocal tries
        del database, signals
        tries += 1
        if any(trade.trade_id == "1-333-B" for trade in trades):
            raise DataRefused("that one")

    await journal.append([Decision(trade=samples.opened(number)) for number in range(500)])
    await of(journal, None, save=save).flush()
    assert journal.counts.refused == 1
    assert tries < 80, "log squared, not linear"


async def settled(delivery: Delivery, times: int) -> None:
    """Return when that many records were delivered."""
    while delivery.statistics.delivered < times:  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.001)


async def troubled(delivery: Delivery) -> None:
    """Return when the server was found to be away."""
    while not delivery.statistics.trouble:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def at_work(mortal: Mortal, journal: Journal, samples: ModuleType) -> AsyncIterator[Delivery]:
    """A delivery on a server that may die, and somebody who goes on deciding all the while."""
    await create_schema(mortal.url, "bot")
    database = await PooledDatabase.open(mortal.url, "bot", JSON, size=2, command_timeout_s=LIMIT_S)
    await migrate(database)
    delivery = of(journal, database, backoff=Backoff(0.01, 0.05))
    enough = asyncio.Event()

    async def decide() -> int:
        for number in itertools.count():
            if enough.is_set():
                return number
            await journal.append([samples.entry(number)])
            await asyncio.sleep(0.001)
        raise AssertionError

    async with delivering(delivery):
        deciding = asyncio.create_task(decide())
        yield delivery
        enough.set()
        total = await deciding
        await delivery.idle()
    assert await database.fetchrow("select count(*), count(distinct trade_id) from trades") == (total, total)
    assert await database.fetchrow("select count(*) from signals") == (total,)
    assert (journal.counts.refused, delivery.statistics.delivered) == (0, 2 * total)
    await database.close()


async def test_a_server_killed_and_started_again_twice_has_every_row_once(
    mortal_postgresql: Mortal, journal: Journal, samples: ModuleType, caplog: LogCaptureFixture
) -> None:
    async with at_work(mortal_postgresql, journal, samples) as delivery:
        for _ in range(2):
            await settled(delivery, delivery.statistics.delivered + 100)
            mortal_postgresql.kill()
            await troubled(delivery)
            mortal_postgresql.start()
            await mortal_postgresql.ready()
            await settled(delivery, delivery.statistics.delivered + 1)
    assert delivery.statistics.outages == 2
    assert len([record for record in caplog.records if "kept in the journal" in record.getMessage()]) == 2
    assert len([record for record in caplog.records if "takes records again" in record.getMessage()]) == 2


async def test_a_server_restarted_in_order_has_every_row_once(
    mortal_postgresql: Mortal, journal: Journal, samples: ModuleType
) -> None:
    async with at_work(mortal_postgresql, journal, samples) as delivery:
        await settled(delivery, 100)
        mortal_postgresql.stop()
        mortal_postgresql.start()
        await mortal_postgresql.ready()
    assert delivery.statistics.outages > 0


async def test_a_server_that_stands_still_is_an_outage_and_not_the_end(
    mortal_postgresql: Mortal, journal: Journal, samples: ModuleType
) -> None:
    async with at_work(mortal_postgresql, journal, samples) as delivery:
        await settled(delivery, 50)
        mortal_postgresql.freeze()
        await troubled(delivery)
        assert "no answer in time" in delivery.statistics.trouble
        while delivery.statistics.retries < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        assert delivery.statistics.outages == 1
        mortal_postgresql.thaw()
