"""`tickproof bot`: the bundled bot by itself, on paper."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from harness.backends.registry import registry
from harness.backends.stack import Stack
from harness.bot.app import GC_POLICY, Bot
from harness.bot.connection import endpoints
from harness.bot.connection.policy import ConnectionPolicy
from harness.bot.plan import Plan
from harness.bot.rest import RestClient
from harness.bot.settings import Addresses, BotSettings
from harness.bot.status import log_lines
from harness.bot.status.monitor import Monitor
from harness.bot.status.page import StatusPage
from harness.bot.status.showing import Showcase
from harness.cli.cost import cost_command
from harness.config import read_toml
from harness.errors import ConfigError, NotTrustworthy, ServiceError
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.bot.connection.endpoints import Endpoints
    from harness.bot.metrics import BotReport
    from harness.exchange.filters import SymbolFilters

app = typer.Typer(help="The bundled bot by itself; paper trading only.", no_args_is_help=True)

_log = logging.getLogger("tickproof.bot")

AUTO = "auto"
FORMATS: tuple[log_lines.Format, ...] = ("text", "json")
_POLL_HZ = 1.0
#: How long PostgreSQL is waited for at the start.
_PATIENCE_S = 60.0
_FIGURES_EVERY_S = 60.0


app.command("cost", epilog="Example: tickproof bot cost spot-30-symbols --symbols --memory 10")(cost_command)


@app.callback()
def _group() -> None:
    """The bundled bot by itself; paper trading only."""


Symbols = Annotated[str, typer.Option(help="Separated by commas; with a whole --url address those in it.")]
Streams = Annotated[str, typer.Option(help="Kinds of streams of each symbol, such as bookTicker,depth@100ms.")]
Market = Annotated[str, typer.Option(help="spot or usdm.")]
Url = Annotated[
    str | None,
    typer.Option(help="Another market: ws://host:port, or a whole /stream?streams= address; its end ends the bot."),
]
RestUrl = Annotated[str | None, typer.Option(help="REST interface for depth snapshots, past candles and filters.")]
AccountUrl = Annotated[str | None, typer.Option(help="Account events: a /ws-api/v3 address.")]
OrdersUrl = Annotated[
    str | None, typer.Option(help="Order gateway on loopback (tickproof replay orders); without it, paper.")
]
StackName = Annotated[str, typer.Option(help="Backends: loop+codec+cache, or auto for the best installed.")]
Settings = Annotated[Path | None, typer.Option(help="TOML file of the bot's settings (docs/bot.md).")]
Schema = Annotated[str, typer.Option(help="Schema of the database to write to; one bot a schema.")]
OutboxFile = Annotated[
    Path | None, typer.Option(envvar="TICKPROOF_OUTBOX", help="File of what is decided and not yet delivered.")
]
StatusPort = Annotated[
    int, typer.Option(help="Status page and /metrics on loopback; 0 for any free port, -1 for none.", min=-1, max=65535)
]
Drain = Annotated[float, typer.Option(help="Seconds that the end waits for what must be written.", min=0)]
Keep = Annotated[bool, typer.Option("--keep", help="Connect again also after --url closed in order.")]
Conflate = Annotated[
    bool, typer.Option("--conflate", help="When behind, let newer prices replace waiting older ones (counted).")
]
LogFormat = Annotated[str, typer.Option(help="text or json.")]
LogLevel = Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")]


@app.command(epilog="Example: tickproof bot run --url ws://127.0.0.1:9443 --symbols BTCUSDT --stack asyncio+json+none")
def run(
    symbols: Symbols = "BTCUSDT,ETHUSDT,SOLUSDT",
    streams: Streams = "bookTicker,aggTrade,kline_1m",
    market: Market = "spot",
    url: Url = None,
    rest_url: RestUrl = None,
    account_url: AccountUrl = None,
    orders_url: OrdersUrl = None,
    stack: StackName = AUTO,
    settings: Settings = None,
    schema: Schema = "tickproof_bot",
    outbox: OutboxFile = None,
    status_port: StatusPort = 9464,
    drain: Drain = 20.0,
    keep: Keep = False,
    conflate: Conflate = False,
    log_format: LogFormat = "text",
    log_level: LogLevel = "INFO",
) -> None:
    """Trade on paper: on Binance's public streams, or on those of --url. DATABASE_URL and REDIS_URL name the servers.

    It begins with a line that says what is active, shows itself on http://127.0.0.1:9464/, and ends in order on
    SIGTERM and Ctrl-C: what was decided is written first, and what cannot be written waits in the outbox's file.
    """
    addresses = Addresses.from_environment(os.environ)
    if not addresses.database_url:
        raise ServiceError("DATABASE_URL is not set; `tickproof services start` starts servers and prints it")
    where = endpoints.of(market, url, rest_url, symbols.split(","), streams.split(","))
    plan = Plan(
        stack=_stack(stack, addresses),
        market_url=where.market_url,
        streams=where.streams,
        account_url=account_url,
        orders_url=orders_url,
        addresses=addresses,
        schema=schema,
        journal=_journal(outbox, schema),
        settings=read_toml(settings, BotSettings) if settings else BotSettings(),
        filters={},
        poll_hz=_POLL_HZ,
        policy=ConnectionPolicy(after_orderly_close="end" if url and not keep else "reconnect"),
        conflates=conflate,
        warm_up=where.symbols if where.rest_url else (),
        patience_s=_PATIENCE_S,
        drain_s=drain,
        keeps_trail=False,
    )
    errors = log_lines.configure(format=_format(log_format), level=log_level)
    _tell(_run(plan, where, errors, status_port))


def _run(plan: Plan, where: Endpoints, errors: log_lines.RecentErrors, status_port: int) -> BotReport:
    try:
        with asyncio.Runner(loop_factory=registry().loop(plan.stack.loop)) as runner:
            return runner.run(_live(plan, where, errors, status_port))
    except OSError as error:
        raise NotTrustworthy(f"the market at {redact(where.market_url)} broke off: {redact(str(error))}") from error


async def _live(plan: Plan, where: Endpoints, errors: log_lines.RecentErrors, status_port: int) -> BotReport:
    monitor = Monitor()
    async with contextlib.AsyncExitStack() as opened:
        if where.rest_url:
            rest = await opened.enter_async_context(RestClient(where.rest_url, where.market))
            plan = _with_rest(plan, rest, await _filters(rest, where.symbols))
        bot = Bot(plan, monitor)
        showcase = Showcase(bot, plan, monitor, errors)
        loop = asyncio.get_running_loop()
        opened.enter_context(_stopped_by_signals(bot, loop))
        if status_port >= 0:
            page = opened.enter_context(StatusPage(showcase.snapshot, loop, port=status_port))
            _log.info("status page: %s", page.url)
        tasks = [asyncio.ensure_future(monitor.sample()), asyncio.ensure_future(_figures(showcase))]
        opened.callback(lambda: [task.cancel() for task in tasks])

        def started(active: dict[str, str]) -> None:
            showcase.active = active
            _log.info("active: %s", ", ".join(f"{slot} {name or 'none'}" for slot, name in active.items()))
            _log.info("paper trading; collector: %s; market: %s", GC_POLICY, redact(plan.market_url))

        return await bot.run(started)


def _stack(name: str, addresses: Addresses) -> Stack:
    """The stack named, or the best of what is installed and configured."""
    if name != AUTO:
        return Stack.parse(name)
    installed = registry().is_installed
    loop = "uvloop" if installed("loop", "uvloop") else "asyncio"
    codec = "orjson" if installed("codec", "orjson") else "json"
    cache = "redis" if addresses.redis_url and installed("cache", "redis") else "none"
    return Stack(loop=loop, codec=codec, cache=cache)


def _format(name: str) -> log_lines.Format:
    for known in FORMATS:
        if name == known:
            return known
    raise ConfigError("bot run", "log-format", f"{name!r} is neither text nor json")


def _journal(path: Path | None, schema: str) -> Path:
    """The file named, or one in the user's state folder (XDG base directory specification)."""
    if path is not None:
        return path
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tickproof"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError("bot run", "outbox", f"{state} cannot be made ({error.strerror}); name a file") from error
    return state / f"outbox-{schema}.sqlite3"


def _with_rest(plan: Plan, rest: RestClient, filters: dict[str, SymbolFilters]) -> Plan:
    return dataclasses.replace(plan, rest=rest, filters=filters)


async def _filters(rest: RestClient, symbols: tuple[str, ...]) -> dict[str, SymbolFilters]:
    """What the exchange accepts of each symbol; without an answer the bot begins with eight decimals."""
    try:
        return await rest.exchange_filters(symbols)
    except ServiceError as error:
        _log.warning("filters are not known, eight decimals are taken: %s", error)
        return {}


@contextlib.contextmanager
def _stopped_by_signals(bot: Bot, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    def stop(number: signal.Signals) -> None:
        _log.info("%s: ending in order", number.name)
        bot.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _figures(showcase: Showcase) -> None:
    """The figures that people look for in a log, now and then."""
    while True:
        await asyncio.sleep(_FIGURES_EVERY_S)
        for line in showcase.lines():
            _log.info(line)


def _tell(report: BotReport) -> None:
    console = Console(highlight=False)
    table = Table("what", "how many")
    for name, count in report.counters.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    console.print(f"digest {report.digest} after {report.frames:,} frames", markup=False)
