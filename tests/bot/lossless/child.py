"""A whole bot as a process of its own, which may kill itself at a stated point: `python child.py '<JSON>'`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.backends.registry import registry
from harness.backends.stack import Stack
from harness.bot.app import Bot
from harness.bot.connection.policy import ConnectionPolicy
from harness.bot.orders.client import OrderClient
from harness.bot.plan import Plan
from harness.bot.settings import Addresses, BotSettings
from harness.bot.storage.database import PooledDatabase
from harness.bot.storage.journal import Journal
from harness.exchange.filters import SymbolFilters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the test asks for."""

    stack: str
    market_url: str
    orders_url: str
    database_url: str
    redis_url: str | None
    schema: str
    journal: str
    settings: BotSettings
    filters: dict[str, SymbolFilters]
    reconnects: bool = False
    die: str = ""
    """`<point>:<n>`: SIGKILL to itself when it comes to that point for the n-th time."""


class Unwatched:
    """No measurement."""

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        return on_frame


class Death:
    """Counts how often a point was reached."""

    def __init__(self, die: str) -> None:
        self.point, _, times = die.partition(":")
        self._left = int(times or 0)

    def reached(self, point: str) -> None:
        if point == self.point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def wire_up(death: Death) -> None:
    """Have death look in before and after each step that must not be lost."""
    append, confirm, transaction, send = Journal.append, Journal.confirm, PooledDatabase.transaction, OrderClient.send

    async def appending(self: Journal, decisions: Any) -> None:
        if death.point == "before-journal":
            await asyncio.sleep(0.05)  # whatever was sent too early has left by then
        death.reached("before-journal")
        await append(self, decisions)
        death.reached("after-journal")

    async def confirming(self: Journal, up_to: int) -> None:
        death.reached("after-commit")
        await confirm(self, up_to)
        death.reached("after-confirm")

    @contextlib.asynccontextmanager
    async def transacting(self: PooledDatabase) -> AsyncIterator[Any]:
        async with transaction(self) as opened:
            yield opened
            death.reached("before-commit")

    def sending(self: OrderClient, order: Any) -> None:
        death.reached("before-send")
        send(self, order)
        death.reached("after-send")

    Journal.append = appending  # type: ignore[method-assign]
    Journal.confirm = confirming  # type: ignore[method-assign]
    PooledDatabase.transaction = transacting  # type: ignore[method-assign]
    OrderClient.send = sending  # type: ignore[method-assign]


async def trade(order: Order) -> dict[str, Any]:
    plan = Plan(
        stack=Stack.parse(order.stack),
        market_url=order.market_url,
        orders_url=order.orders_url,
        addresses=Addresses(database_url=order.database_url, redis_url=order.redis_url),
        schema=order.schema,
        journal=Path(order.journal),
        settings=order.settings,
        filters=order.filters,
        poll_hz=20.0,
        policy=ConnectionPolicy(after_orderly_close="end", first_pause_s=0.01, longest_pause_s=0.05)
        if order.reconnects
        else None,
        patience_s=30.0,
    )
    report = await Bot(plan, Unwatched()).run()
    return {"digest": report.digest, "frames": report.frames, "counters": report.counters, "active": report.active}


def main() -> None:
    order = msgspec.json.decode(sys.argv[1], type=Order)
    wire_up(Death(order.die))
    with asyncio.Runner(loop_factory=registry().loop(Stack.parse(order.stack).loop)) as runner:
        sys.stdout.write(json.dumps(runner.run(trade(order))))


if __name__ == "__main__":
    main()
