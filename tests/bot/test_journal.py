from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal as signals
import sqlite3
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.bot.decision import Decision
from harness.bot.storage import journal_file
from harness.bot.storage.journal import Journal, JournalFull
from harness.errors import ConfigError, ServiceError
from harness.spawn import python_environment, spawn, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType

    from harness.bot.storage.journal import JournalCounts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.journal"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(path)
    yield opened
    await opened.close()


def figures(counts: JournalCounts) -> tuple[int, int, int]:
    return counts.orders, counts.writes, counts.refused


async def reopened(journal: Journal, path: Path) -> Journal:
    await journal.close()
    return await Journal.open(path)


async def test_what_is_appended_comes_back_equal_and_in_order(
    journal: Journal, path: Path, samples: ModuleType
) -> None:
    decisions = [samples.entry(1), samples.leaving(2, samples.opened(1)), Decision(signal=samples.signal(3))]
    await journal.append(decisions)
    again = await reopened(journal, path)
    assert await again.unsettled() == [decisions[0].order, decisions[1].order]
    pending = await again.pending()
    assert [one.record for one in pending] == [
        decisions[0].trade,
        decisions[0].signal,
        decisions[1].trade,
        decisions[2].signal,
    ]
    assert [one.seq for one in pending] == [1, 2, 3, 4]
    assert str(again.counts) == str(journal.counts)
    assert figures(again.counts) == (2, 4, 0)
    await again.close()


async def test_a_new_journal_holds_nothing(journal: Journal) -> None:
    assert figures(journal.counts) == (0, 0, 0)
    assert await journal.unsettled() == []
    assert await journal.pending() == []
    await journal.append([])
    assert figures(journal.counts) == (0, 0, 0)


async def test_settled_orders_are_gone_and_the_rest_keep_their_order(journal: Journal, samples: ModuleType) -> None:
    await journal.append([samples.entry(number) for number in (3, 1, 2)])
    await journal.settle(["1-1-B", "unknown"])
    assert [order.client_order_id for order in await journal.unsettled()] == ["1-3-B", "1-2-B"]
    await journal.append([samples.entry(0)])
    assert [order.client_order_id for order in await journal.unsettled()] == ["1-3-B", "1-2-B", "1-0-B"]
    assert journal.counts.orders == 3
    await journal.settle(["1-1-B"])
    await journal.settle([])
    assert journal.counts.orders == 3


async def test_an_order_that_is_appended_twice_is_kept_once(journal: Journal, samples: ModuleType) -> None:
    for _ in range(2):
        await journal.append([samples.entry(1)])
    assert len(await journal.unsettled()) == journal.counts.orders == 1


async def test_records_are_read_behind_a_place_and_confirmed_up_to_one(journal: Journal, samples: ModuleType) -> None:
    await journal.append([Decision(signal=samples.signal(number)) for number in range(10)])
    assert [one.seq for one in await journal.pending(after=3, limit=2)] == [4, 5]
    await journal.confirm(8)
    assert [one.seq for one in await journal.pending()] == [9, 10]
    await journal.confirm(10)
    assert journal.counts.writes == 0
    await journal.append([Decision(signal=samples.signal(10))])
    assert [one.seq for one in await journal.pending()] == [11], "a place is never given twice"


async def test_what_postgresql_refuses_is_set_aside_with_the_reason(
    journal: Journal, path: Path, samples: ModuleType
) -> None:
    await journal.append([samples.entry(1)])
    await journal.refuse(1, "value out of range")
    await journal.refuse(99, "not there")
    assert figures(journal.counts) == (1, 1, 1)
    again = await reopened(journal, path)
    (refused,) = await again.refused()
    assert (refused.seq, refused.record, refused.reason) == (1, samples.opened(1), "value out of range")
    assert figures(again.counts) == (1, 1, 1)
    await again.close()


async def test_watchers_hear_of_every_change_in_the_loop(journal: Journal, samples: ModuleType) -> None:
    heard: list[tuple[int, int, int]] = []
    thread = threading.current_thread()

    def look() -> None:
        assert threading.current_thread() is thread
        heard.append(figures(journal.counts))

    journal.watch(look)
    await journal.append([samples.entry(1)])
    await journal.settle(["1-1-B"])
    await journal.refuse(1, "")
    await journal.confirm(2)
    assert heard == [(1, 2, 0), (0, 2, 0), (0, 1, 1), (0, 0, 1)]


async def test_it_is_written_ahead_and_flushed_and_only_one_thread_works(
    journal: Journal, path: Path, samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[str, int]] = set()
    store = journal._store
    append = store.append

    def watched(decisions: list[Decision]) -> None:
        append(decisions)
        (synchronous,) = store._connection.execute("pragma synchronous").fetchone()
        seen.add((threading.current_thread().name, synchronous))

    monkeypatch.setattr(store, "append", watched)
    await asyncio.gather(*(journal.append([samples.entry(number)]) for number in range(5)))
    assert seen == {("journal_0", 2)}, "2 is FULL"
    assert path.with_name("bot.journal-wal").stat().st_size > 0


async def test_two_bots_on_one_journal_are_refused_by_name(journal: Journal, path: Path) -> None:
    del journal
    with pytest.raises(ConfigError, match=rf"bot\.journal: another bot uses this journal \(process {os.getpid()}\)"):
        await Journal.open(path)


async def test_a_journal_is_free_when_its_bot_was_killed(path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys, time\n"
        "from harness.bot.storage.journal import Journal\n"
        "async def main():\n"
        "    await Journal.open(pathlib.Path(sys.argv[1]))\n"
        "    print('open', flush=True)\n"
        "    time.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    child = spawn([sys.executable, "-c", code, path], env=python_environment(), stdout=-1)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"open\n"
    with pytest.raises(ConfigError, match=f"process {child.pid}"):
        await Journal.open(path)
    stop(child, by=signals.SIGKILL)
    await (await Journal.open(path)).close()


async def test_an_empty_journal_may_be_used_with_another_database(journal: Journal, path: Path) -> None:
    await journal.bind("one")
    again = await reopened(journal, path)
    await again.bind("two")
    await again.append([])
    await again.close()


async def test_a_journal_that_holds_something_knows_its_database_and_refuses_another(
    journal: Journal, path: Path, samples: ModuleType
) -> None:
    await journal.bind("one")
    await journal.bind("one")
    await journal.append([samples.entry(1)])
    again = await reopened(journal, path)
    with pytest.raises(ConfigError, match=r"another database \(one, not two\)"):
        await again.bind("two")
    await again.bind("one")
    await again.close()


def _sqlite_of_somebody_else(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table theirs (x)")
    connection.commit()
    connection.close()


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"pragma application_id={journal_file.APPLICATION_ID}")
    connection.execute(f"pragma user_version={journal_file.FORMAT + 1}")
    connection.execute("create table t (x)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.write_bytes(b"not a database, and longer than a header" * 10), "no journal of a bot"),
        (lambda path: path.write_bytes(b"x"), "no journal of a bot"),
        (_sqlite_of_somebody_else, "no journal of a bot"),
        (_newer, "format 2, and this program knows 1; start the release that wrote it"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.with_name("bot.journal-wal").write_bytes(b"log"), "its log bot.journal-wal is there"),
    ],
    ids=["text", "a byte", "another program", "newer", "folder", "log without file"],
)
async def test_what_is_no_journal_of_ours_is_refused_and_left_alone(make: object, told: str, path: Path) -> None:
    assert callable(make)
    make(path)
    before = {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    with pytest.raises(ConfigError, match=told) as raised:
        await Journal.open(path)
    assert str(path) in str(raised.value)
    assert {file: file.read_bytes() for file in before} == before


async def test_a_damaged_journal_is_refused_and_left_alone(journal: Journal, path: Path, samples: ModuleType) -> None:
    await journal.append([samples.entry(number) for number in range(200)])
    await journal.close()
    damaged = _spoil(path)
    with pytest.raises(ConfigError, match=r"damaged .* keep it"):
        await Journal.open(path)
    shutil.move(path, path.with_name("kept"))
    assert _content(path.with_name("kept")) == damaged
    await (await Journal.open(path)).close()  # the lock was given back


def _spoil(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[journal_file.PAGE_BYTES : 4 * journal_file.PAGE_BYTES] = b"\xff" * (3 * journal_file.PAGE_BYTES)
    path.write_bytes(content)
    return bytes(content)


def _content(path: Path) -> bytes:
    return path.read_bytes()


async def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=tmp_path)
    os.close(descriptor)
    await (await Journal.open(Path(name))).close()


async def test_what_a_bot_killed_while_making_it_left_is_no_hindrance(path: Path) -> None:
    path.with_name("bot.journal.new").write_bytes(b"half")
    path.with_name("bot.journal.new-journal").write_bytes(b"half")
    opened = await Journal.open(path)
    assert await opened.unsettled() == []
    await opened.close()


async def test_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name another place"):
        await Journal.open(tmp_path / "nowhere" / "bot.journal")


async def test_a_journal_that_has_no_room_says_so_and_keeps_what_it_has(path: Path, samples: ModuleType) -> None:
    small = await Journal.open(path, maximum_bytes=20 * journal_file.PAGE_BYTES)
    appended = 0
    with contextlib.suppress(JournalFull):
        for _ in range(1_000):
            await small.append([samples.entry(number) for number in range(appended, appended + 20)])
            appended += 20
    with pytest.raises(JournalFull, match=r"bot\.journal failed"):
        await small.append([samples.entry(number) for number in range(20)])
    assert 0 < appended < 20_000
    assert figures(small.counts) == (appended, 2 * appended, 0)
    assert len(await small.unsettled()) == appended
    assert len(await small.pending(limit=10_000)) == 2 * appended
    await small.confirm(2 * appended)  # there is room again
    await small.append([samples.entry(number) for number in range(appended, appended + 20)])
    again = await reopened(small, path)
    assert figures(again.counts) == (appended + 20, 40, 0)
    await again.close()


async def test_a_disk_that_takes_no_more_is_said_and_nothing_is_half_written(
    journal: Journal, path: Path, samples: ModuleType
) -> None:
    await journal.append([samples.entry(1)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name("bot.journal-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (log + 3 * journal_file.PAGE_BYTES, limits[1]))
    try:
        with pytest.raises(ServiceError, match="failed"):
            await journal.append([samples.entry(number) for number in range(2, 300)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert figures(journal.counts) == (1, 2, 0)
    assert [order.client_order_id for order in await journal.unsettled()] == ["1-1-B"]
    await journal.append([samples.entry(2)])
    again = await reopened(journal, path)
    assert [order.client_order_id for order in await again.unsettled()] == ["1-1-B", "1-2-B"]
    assert figures(again.counts) == (2, 4, 0)
    await again.close()


async def test_the_file_shrinks_when_it_was_drained(journal: Journal, path: Path, samples: ModuleType) -> None:
    for start in range(0, 20_000, 1_000):
        await journal.append([Decision(signal=samples.signal(number)) for number in range(start, start + 1_000)])
    peak = journal.size_bytes
    assert peak > 5 * 2**20
    while pending := await journal.pending(limit=1_000):
        await journal.confirm(pending[-1].seq)
    assert journal.size_bytes <= journal_file.WAL_BYTES + 2**20 + 16 * journal_file.PAGE_BYTES < peak
    again = await reopened(journal, path)
    assert again.size_bytes <= 2**20 + 16 * journal_file.PAGE_BYTES
    await again.close()


async def test_a_journal_in_steady_use_does_not_grow(journal: Journal, samples: ModuleType) -> None:
    for number in range(3_000):
        await journal.append([samples.entry(number)])
        await journal.confirm(2 * number + 2)
        await journal.settle([f"1-{number}-B"])
    assert figures(journal.counts) == (0, 0, 0)
    assert journal.size_bytes < journal_file.WAL_BYTES + 2 * 2**20


async def test_a_closed_journal_says_so_and_closes_twice(journal: Journal) -> None:
    await journal.close()
    await journal.close()
    with pytest.raises(ServiceError, match="is closed"):
        await journal.unsettled()


async def test_cancelled_in_the_middle_it_is_done_whole_or_not_at_all(
    journal: Journal, path: Path, samples: ModuleType
) -> None:
    appending = asyncio.create_task(journal.append([samples.entry(number) for number in range(100)]))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    again = await reopened(journal, path)
    assert figures(again.counts) in {(0, 0, 0), (100, 200, 0)}
    await again.close()
