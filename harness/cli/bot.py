"""`tickproof bot`: the bundled bot by itself, on paper."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from harness.backends.registry import registry
from harness.backends.stack import AFTER_REDIS, Stack
from harness.bot.app import Bot, Plan
from harness.bot.settings import Addresses, BotSettings
from harness.errors import NotTrustworthy, ServiceError
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.metrics import BotReport

app = typer.Typer(help="The bundled bot by itself; paper trading only.", no_args_is_help=True)


class _Unwatched:
    """No measurement: the bot's own handler, as it is."""

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        return on_frame


@app.callback()
def _group() -> None:
    """One command today, more later."""


@app.command()
def run(
    url: Annotated[str, typer.Option(help="Market: a whole /stream?streams= address.")],
    account_url: Annotated[str | None, typer.Option(help="Account: a /ws-api/v3 address.")] = None,
    stack: Annotated[str, typer.Option(help="Backends: loop+codec+cache.")] = AFTER_REDIS,
    schema: Annotated[str, typer.Option(help="Schema of the database to write to.")] = "tickproof_bot",
) -> None:
    """Trade on paper until the market closes the connection. DATABASE_URL and REDIS_URL say where the servers are.

    Example, against `tickproof replay serve spot-20-symbols --port 9443`:

        tickproof bot run --url 'ws://127.0.0.1:9443/stream?streams=btcusdt@bookTicker' --stack asyncio+json+none
    """
    addresses = Addresses.from_environment(os.environ)
    if not addresses.database_url:
        raise ServiceError("DATABASE_URL is not set; `tickproof services start` starts servers and prints it")
    chosen = Stack.parse(stack)
    plan = Plan(
        stack=chosen,
        market_url=url,
        account_url=account_url,
        addresses=addresses,
        schema=schema,
        settings=BotSettings(),
        filters={},
        poll_hz=1.0,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    console = Console(highlight=False)
    console.print(f"stack {chosen}, {addresses}", markup=False)
    try:
        with asyncio.Runner(loop_factory=registry().loop(chosen.loop)) as runner:
            report = runner.run(_trade(plan))
    except OSError as error:
        raise NotTrustworthy(f"the market at {redact(url)} broke off: {redact(str(error))}") from error
    table = Table("what", "how many")
    for name, count in report.counters.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    console.print(f"digest {report.digest} after {report.frames:,} frames", markup=False)


async def _trade(plan: Plan) -> BotReport:
    return await Bot(plan, _Unwatched()).run()
