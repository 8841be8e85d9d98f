"""A bot as a process, a market that goes on, and an order gateway that witnesses."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest

from harness.backends.stack import Stack
from harness.bot.settings import BotSettings, MarketSettings, MomentumSettings, RiskSettings
from harness.bot.storage.database import create_schema, drop_schema
from harness.errors import ServiceError, TickproofError
from harness.replay.orders.log import read_log
from harness.replay.orders.process import OrderGatewayProcess
from harness.replay.orders.trades import trades_of
from harness.spawn import python_environment, spawn, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.recordings.format import Recording
    from tests.bot.lossless.feed import Feed

#: Trades much, so that there is something to lose.
EAGER = BotSettings(
    market=MarketSettings(fast=2, slow=4),
    strategy=MomentumSettings(warm_up=2, entry=0.0, exit=0.0, flow=-1.0),
    risk=RiskSettings(maximum_open=20, cool_down_ms=0, maximum_hold_ms=1_000, daily_loss_limit=0.0, capital=1e7),
)
LIMIT_S = 90.0
COLUMNS = ("accepted", "decided", "written", "lost", "doubled", "different")
TALLIES: dict[str, list[Tally]] = {}
"""By what happened."""
CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the witness accepted against what the database holds."""

    accepted: int
    """Orders, by the witness's own log."""
    decided: int
    """Trades that follow from them."""
    written: int
    """Trades in the database."""
    lost: int
    doubled: int
    different: int


@dataclass(kw_only=True)
class Scene:
    """One database schema, one journal, one witness; as many lives of the bot as wanted."""

    folder: Path
    database_url: str
    redis_url: str | None
    recording: Recording
    witness: OrderGatewayProcess
    log: Path
    schema: str = field(default_factory=lambda: f"lossless_{secrets.token_hex(6)}")
    lives: list[subprocess.Popen[bytes]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What the last life that ended in order logged."""

    def live(self, stack: str, market_url: str, *, die: str = "", reconnects: bool = False) -> subprocess.Popen[bytes]:
        """A new life of the bot, on what the earlier ones left."""
        order: dict[str, Any] = {
            "stack": stack,
            "market_url": market_url,
            "orders_url": self.witness.url,
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "schema": self.schema,
            "journal": str(self.folder / "journal.sqlite3"),
            "settings": msgspec.to_builtins(EAGER),
            "filters": msgspec.to_builtins(self.recording.header.filters),
            "reconnects": reconnects,
            "die": die,
        }
        argv = [sys.executable, str(CHILD), msgspec.json.encode(order).decode()]
        process = spawn(argv, env=python_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lives.append(process)
        return process

    def ended(self, life: subprocess.Popen[bytes]) -> dict[str, Any]:
        """The report of a life that came to its end in order."""
        said, complained = life.communicate(timeout=LIMIT_S)
        assert life.returncode == 0, complained.decode()[-3_000:]
        self.warnings = complained.decode().splitlines()
        report: dict[str, Any] = json.loads(said)
        return report

    def tally(self, what: str) -> Tally:
        """Both sides compared, trade by trade, to the last digit; `what` happened, for the table in the documents."""
        accepted = read_log(self.log)
        decided = {trade.trade_id: trade for trade in trades_of(accepted)}
        rows = asyncio.run(_rows(self.database_url, self.schema))
        written = {row["trade_id"]: row for row in rows}
        found = Tally(
            accepted=len(accepted),
            decided=len(decided),
            written=len(rows),
            lost=len(decided.keys() - written.keys()),
            doubled=len(rows) - len(written) + len(written.keys() - decided.keys()),
            different=sum(
                (row["symbol"], row["quantity"], row["entry_price"], row["exit_price"])
                != (trade.symbol, trade.quantity, trade.entry_price, trade.exit_price)
                for trade_id, trade in decided.items()
                if (row := written.get(trade_id)) is not None
            ),
        )
        TALLIES.setdefault(what, []).append(found)
        return found

    def close(self) -> None:
        for life in self.lives:
            stop(life, grace=1.0)
            for pipe in (life.stdout, life.stderr):
                if pipe:
                    pipe.close()
        self.witness.stop()


async def _rows(url: str, schema: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(f'select * from "{schema}".trades')  # noqa: S608
        return rows
    finally:
        await connection.close()


@pytest.fixture(scope="session", autouse=True)
def _table() -> Iterator[None]:
    """Writes the table of docs/bot.md where it is asked for."""
    yield
    path = os.environ.get("TICKPROOF_LOSSLESS_TABLE")
    if path:
        rows = [
            f"| {what} | {len(found)} | "
            + " | ".join(f"{sum(getattr(one, name) for one in found):,}" for name in COLUMNS)
            for what, found in TALLIES.items()
        ]
        Path(path).write_text(" |\n".join([*rows, ""]), encoding="utf-8")


@pytest.fixture(scope="session")
def eager() -> BotSettings:
    return EAGER


@pytest.fixture(scope="session")
def feed_of() -> type[Feed]:
    """The market, from beside this file: tests are no package."""
    spec = importlib.util.spec_from_file_location("tickproof_lossless_feed", Path(__file__).with_name("feed.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Feed] = module.Feed
    return found


@pytest.fixture
def scene_on(tmp_path: Path, shipped: Recording) -> Iterator[Callable[..., Scene]]:
    """Makes a scene on the servers given."""
    scenes: list[Scene] = []

    def make(database_url: str, redis_url: str | None, **faults: Any) -> Scene:
        folder = tmp_path / str(len(scenes))
        folder.mkdir()
        log = folder / "witness.jsonl"
        witness = OrderGatewayProcess.start(log, **faults)
        scene = Scene(
            folder=folder,
            database_url=database_url,
            redis_url=redis_url,
            recording=shipped,
            witness=witness,
            log=log,
        )
        asyncio.run(create_schema(database_url, scene.schema))
        scenes.append(scene)
        return scene

    yield make
    for scene in scenes:
        scene.close()
        with contextlib.suppress(ServiceError):  # a server of the test's own is gone by now
            asyncio.run(drop_schema(scene.database_url, scene.schema))


@pytest.fixture
def installed() -> Callable[[str], str]:
    """The stack itself, or a skip that says what is missing."""

    def check(stack: str) -> str:
        try:
            Stack.parse(stack).check_installed()
        except TickproofError as error:
            pytest.skip(str(error))
        return stack

    return check
