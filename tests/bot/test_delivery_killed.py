from __future__ import annotations

import asyncio
import random
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.registry import registry
from harness.bot.storage.database import PooledDatabase, create_schema
from harness.spawn import python_environment, spawn

if TYPE_CHECKING:
    from tests.bot.servers import Mortal

JSON = registry().codec("json")
CRASHING = Path(__file__).with_name("crashing.py")
LAST_OPENED = """
    select distinct on (symbol) symbol, trade_id from trades where status = 'open'
    order by symbol, opened_at desc, trade_id desc
"""


class Bot:
    """The child, and what its witness heard of it and of its earlier lives."""

    def __init__(self, journal: Path, url: str, schema: str) -> None:
        self.heard: list[str] = []
        self.journal = journal
        self.url = url
        self.schema = schema

    def live(self, mode: str, *, at: int = 0, lines: int | None = None) -> int:
        """One life: until it ends by itself, or is killed after so many orders; its exit status."""
        argv: list[str | Path] = [sys.executable, CRASHING, self.journal, self.url, self.schema, mode, str(at)]
        child = spawn(argv, env=python_environment(), stdout=-1)
        assert child.stdout is not None
        with child.stdout:
            for number, line in enumerate(child.stdout, start=1):
                if line.endswith(b"\n"):
                    self.heard.append(line.decode().strip())
                if number == lines:
                    child.kill()
        return child.wait()

    @property
    def opened(self) -> set[str]:
        return {name for name in self.heard if name.endswith("-B")}

    @property
    def closed(self) -> set[str]:
        """Trades whose sale was sent: the order after the one that opened it."""
        sold = [name.split("-") for name in self.heard if name.endswith("-S")]
        return {f"{epoch}-{int(number) - 1}-B" for epoch, number, _ in sold}


def check_books(bot: Bot) -> None:
    """After a last life the database holds what the witness heard, each once; positions and statistics follow."""
    assert bot.live("drain") == 0

    async def read() -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        database = await PooledDatabase.open(bot.url, bot.schema, JSON, size=1)
        answers = [
            await database.fetch(sql)
            for sql in (
                "select trade_id, status from trades",
                "select symbol, trade_id from positions order by symbol",
                LAST_OPENED,
                "select sum(trades), sum(pnl) from daily_statistics",
            )
        ]
        await database.close()
        return answers[0], answers[1], answers[2], answers[3]

    trades, positions, expected, days = asyncio.run(read())
    assert {name for name, _ in trades} == bot.opened
    assert len(trades) == len(bot.opened)
    assert {name for name, status in trades if status == "closed"} == bot.closed
    assert positions == expected
    assert days == [(len(bot.closed), len(bot.closed) * Decimal("1.25"))]


@pytest.fixture
def bot(tmp_path: Path, database_url: str, schema: str) -> Bot:
    return Bot(tmp_path / "bot.journal", database_url, schema)


def test_a_bot_killed_at_ten_random_moments_lost_nothing_and_doubled_nothing(bot: Bot) -> None:
    dice = random.Random(11)
    for _ in range(10):
        assert bot.live("loop", lines=dice.randint(1, 150)) == -signal.SIGKILL
    check_books(bot)
    assert len(bot.heard) > 500


@pytest.mark.parametrize("mode", ["before commit", "after commit"])
def test_a_bot_killed_on_either_side_of_a_commit_lost_nothing_and_doubled_nothing(bot: Bot, mode: str) -> None:
    for at in (1, 2, 5):
        assert bot.live(mode, at=at) == -signal.SIGKILL
    check_books(bot)
    assert bot.heard


def test_a_bot_and_its_database_killed_together_lost_nothing(mortal_postgresql: Mortal, tmp_path: Path) -> None:
    url = mortal_postgresql.url
    asyncio.run(create_schema(url, "bot"))
    bot = Bot(tmp_path / "bot.journal", url, "bot")
    for lines in (30, 60):
        assert bot.live("loop", lines=lines) == -signal.SIGKILL
        mortal_postgresql.kill()
        mortal_postgresql.start()
        asyncio.run(mortal_postgresql.ready())
    check_books(bot)
