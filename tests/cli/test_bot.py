"""The bot as a user runs it: a process, a replay, signals, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import signal
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from harness.bot.storage.database import create_schema, drop_schema
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import load
from harness.replay.opening import Choices, Opened
from harness.replay.orders.log import read_log
from harness.replay.orders.trades import trades_of
from harness.replay.pacing import Pace
from harness.replay.reel import Reel
from harness.replay.side.showing import about
from harness.replay.standing import Standing
from harness.replay.tape import tape_of
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.services.opening import Services
    from tests.cli.conftest import Ended, Running

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT"


@pytest.fixture(scope="module")
def market() -> Iterator[str]:
    """The shipped recording at ten times its pace, for whoever connects."""
    recording = load(find(DEFAULT_RECORDING))
    tape, pace = tape_of(recording.frames), Pace(speed=10.0)
    served = about(recording, tape.names, pace, account=True)
    with Standing(Reel(tape), pace, about=served, host="127.0.0.1", port=0, notice=lambda _: None) as standing:
        yield standing.url


@pytest.fixture
def environment(servers: Services, tmp_path: Path) -> Iterator[dict[str, str]]:
    schema = f"cli_{secrets.token_hex(6)}"
    asyncio.run(create_schema(servers.postgresql.url, schema))
    assert servers.redis is not None
    yield {
        "DATABASE_URL": servers.postgresql.url,
        "REDIS_URL": servers.redis.url,
        "TICKPROOF_OUTBOX": str(tmp_path / "outbox.sqlite3"),
        "SCHEMA": schema,
    }
    asyncio.run(drop_schema(servers.postgresql.url, schema))


def options(environment: dict[str, str], market: str, *others: str) -> tuple[str, ...]:
    return ("bot", "run", "--url", market, "--symbols", SYMBOLS, "--schema", environment["SCHEMA"], *others)


async def fetched(environment: dict[str, str], sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    try:
        await connection.execute(f'set search_path to "{environment["SCHEMA"]}"')
        rows: list[asyncpg.Record] = await connection.fetch(sql)
        return rows
    finally:
        await connection.close()


def page_of(environment: dict[str, str], path: str, port: int) -> str:
    del environment
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def has_traded(environment: dict[str, str]) -> bool:
    try:
        rows = asyncio.run(fetched(environment, "select count(*) from trades"))
    except asyncpg.UndefinedTableError:
        return False
    return bool(rows[0][0] >= 3)


def stopped_after_some_trades(running: Running, environment: dict[str, str]) -> Ended:
    running.wait_until(lambda: has_traded(environment))
    return running.end(signal.SIGTERM)


def test_it_says_what_is_active_shows_itself_and_ends_in_order_on_sigterm(
    start: Callable[..., Running], environment: dict[str, str], market: str
) -> None:
    port = 20_000 + secrets.randbelow(20_000)
    running = start(*options(environment, market, "--status-port", str(port)), **environment)
    running.wait_until(lambda: has_traded(environment))
    assert page_of(environment, "/healthz", port).strip() == "trading"
    metrics = page_of(environment, "/metrics", port)
    assert re.search(r"^tickproof_bot_frames_total [1-9]", metrics, re.MULTILINE)
    assert "Trading on paper" in page_of(environment, "/", port)
    ended = running.end(signal.SIGTERM)
    assert ended.status == 0, ended.err
    assert re.search(r"active: loop \S+, codec \S+, cache \S+.*, gateway paper, epoch 1", ended.err)
    assert "SIGTERM: ending in order" in ended.err
    [opened] = re.findall(r"trades_opened\D+(\d+)", ended.out)
    rows = asyncio.run(fetched(environment, "select status from trades"))
    assert len(rows) == int(opened) > 0
    sessions = asyncio.run(fetched(environment, "select epoch, ended_at from sessions"))
    assert [(row["epoch"], row["ended_at"] is not None) for row in sessions] == [(1, True)]


def test_a_second_life_goes_on_with_the_positions_of_the_first(
    start: Callable[..., Running], environment: dict[str, str], market: str
) -> None:
    settings = "[risk]\nmaximum_hold_ms = 86400000\nstop_loss = 0.9\ntake_profit = 9.0\n[strategy]\n"
    settings += 'name = "momentum"\nexit = 1e9\n'  # holds what it has
    file = environment["TICKPROOF_OUTBOX"] + ".toml"
    with open(file, "w", encoding="utf-8") as written:  # noqa: PTH123 - the path is text here
        written.write(settings)
    arguments = options(environment, market, "--settings", file, "--status-port", "-1")
    first = stopped_after_some_trades(start(*arguments, **environment), environment)
    held = asyncio.run(fetched(environment, "select symbol, trade_id from positions order by symbol"))
    assert len(held) >= 3
    second = start(*arguments, **environment)
    second.wait_until(lambda: bool(asyncio.run(fetched(environment, "select 1 from sessions where epoch = 2"))))
    ended = second.end(signal.SIGTERM)
    assert (first.status, ended.status) == (0, 0), ended.err
    again = asyncio.run(fetched(environment, "select symbol, trade_id from positions order by symbol"))
    assert [tuple(row) for row in again if row["symbol"] in {each["symbol"] for each in held}] == [
        tuple(row) for row in held
    ]
    assert re.search(rf"positions\D+{len(again)}", ended.out)


def test_the_end_of_a_replay_is_the_end_of_the_bot_and_the_log_may_be_json(
    tickproof: Callable[..., Ended], environment: dict[str, str], market: str
) -> None:
    whole = f"{market}/stream?streams=btcusdt@kline_1m"
    arguments = ("bot", "run", "--url", whole, "--schema", environment["SCHEMA"], "--status-port", "-1")
    # The rest of the recording is not subscribed: what is left is over in a moment at this speed.
    ended = tickproof(*arguments, "--log-format", "json", "--stack", "asyncio+json+none", **environment)
    assert ended.status == 0, ended.err
    lines: list[dict[str, Any]] = [json.loads(line) for line in ended.err.splitlines()]
    assert any("gateway paper" in line["message"] for line in lines)
    assert {line["level"] for line in lines} <= {"INFO", "WARNING"}


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--url", "http://127.0.0.1:1"), 2, "no WebSocket address"),
        (("--stack", "trio+json+none"), 2, "unknown loop backend 'trio'"),
        (("--market", "coinm"), 2, "unknown market 'coinm'"),
        (("--streams", "candles"), 2, "is no stream"),
        (("--log-format", "xml"), 2, "neither text nor json"),
        (("--settings", "nowhere.toml"), 2, "no such file"),
        (("--orders-url", "wss://api.binance.com/ws-api/v3"), 2, "reads ws://127.0.0.1:PORT"),
        (("--orders-url", "ws://192.0.2.1:9444/ws-api/v3"), 2, "loopback"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    arguments: tuple[str, ...], status: int, says: str, tickproof: Callable[..., Ended], environment: dict[str, str]
) -> None:
    base = ("bot", "run", "--url", "ws://127.0.0.1:1", "--schema", environment["SCHEMA"], "--status-port", "-1")
    ended = tickproof(*base, *arguments, **environment)
    assert ended.status == status, ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_without_a_database_it_says_which_variable_is_missing(tickproof: Callable[..., Ended]) -> None:
    ended = tickproof("bot", "run", "--url", "ws://127.0.0.1:1", DATABASE_URL="")
    assert ended.status == 2
    assert "DATABASE_URL is not set" in ended.err


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ({"TICKPROOF_OUTBOX": "/nowhere/outbox.sqlite3"}, "/nowhere"),
        ({"TICKPROOF_OUTBOX": "", "XDG_STATE_HOME": "/dev/null/state"}, "cannot be made"),
    ],
)
def test_a_place_for_the_outbox_that_is_none_is_told_before_any_server_is_waited_for(
    places: dict[str, str], says: str, tickproof: Callable[..., Ended]
) -> None:
    nobody = "postgresql://bot@127.0.0.1:1/trades"
    ended = tickproof("bot", "run", "--url", "ws://127.0.0.1:1", DATABASE_URL=nobody, **places)
    assert ended.status == 2
    assert says in ended.err
    assert "asking again" not in ended.err
    assert "Traceback" not in ended.err


def test_a_second_bot_on_the_same_outbox_is_refused(
    start: Callable[..., Running], tickproof: Callable[..., Ended], environment: dict[str, str], market: str
) -> None:
    first = start(*options(environment, market, "--status-port", "-1"), **environment)
    first.wait_until(lambda: has_traded(environment))
    second = tickproof(*options(environment, market, "--status-port", "-1"), **environment)
    assert second.status == 2
    assert environment["TICKPROOF_OUTBOX"] in second.err
    assert first.end(signal.SIGINT).status == 0


def test_the_cost_of_a_message_is_told_as_tables_and_as_json(tickproof: Callable[..., Ended]) -> None:
    small = ("--blocks", "1", "--frames", "1000", "--passes", "1")
    ended = tickproof("bot", "cost", *small, "--json")
    assert ended.status == 0, ended.err
    tables = json.loads(ended.out)
    assert {"msgspec, book off", "json, book off"} <= {table["title"] for table in tables}
    assert all(len(row) == len(table["columns"]) for table in tables for row in table["rows"])


def test_one_replay_is_its_whole_exchange(
    tickproof: Callable[..., Ended], environment: dict[str, str], tmp_path: Path
) -> None:
    recording = load(find(DEFAULT_RECORDING))
    start = replace(recording, frames=[frame for frame in recording.frames if frame.at < 10 * NS_PER_S])
    settings, log = tmp_path / "settings.toml", tmp_path / "orders.jsonl"
    settings.write_text("book = true\n")
    with Opened(start, Choices(pace=Pace(speed=5.0), orders=log), lambda _: None) as replay:
        account = f"{replay.url}/ws-api/v3"
        urls = ("--rest-url", replay.url.replace("ws", "http"), "--account-url", account, "--orders-url", account)
        others = ("--streams", "bookTicker,aggTrade,depth@100ms", "--settings", str(settings), "--status-port", "-1")
        ended = tickproof(*options(environment, replay.url, *urls, *others), **environment)
    assert ended.status == 0, ended.err
    counts = dict(re.findall(r"^\W*(\w+)\s\W*([\d,]+)", ended.out, re.MULTILINE))
    assert (counts["books"], counts["depth_gaps"], counts["order_differences"]) == ("4", "0", "0")
    accepted = read_log(log)
    assert len(accepted) == int(counts["orders_sent"]) > 0
    rows = asyncio.run(fetched(environment, "select trade_id from trades"))
    assert {row["trade_id"] for row in rows} == {trade.trade_id for trade in trades_of(accepted)}
    assert "filters are not known" not in ended.err
    assert "no past candles" not in ended.err
