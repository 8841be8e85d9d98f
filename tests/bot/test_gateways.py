from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from harness.bot.orders import gateways
from harness.bot.orders.gateways import Gateway, PaperGateway
from harness.exchange.fills import FillRules
from harness.exchange.filters import SymbolFilters
from harness.exchange.orders import Order, Side

ORDER = Order(
    client_order_id="1-42-B",
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal("0.5"),
    price=Decimal(30000),
    time_ms=1_700_000_000_000,
)


class Heard:
    """What a gateway handed on."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def __call__(self, frame: bytes) -> None:
        self.frames.append(frame)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(frame)["event"] for frame in self.frames]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event["c"], event["X"]) for event in self.events]


async def test_an_order_on_paper_comes_back_as_the_exchanges_own_frames() -> None:
    heard = Heard()
    gateway: Gateway = PaperGateway(heard, rules=FillRules(fee_rate=Decimal("0.002")))
    await gateway.open()
    gateway.send(ORDER)
    assert heard.frames == [], "nobody is called from within send"
    await asyncio.sleep(0)
    assert heard.told == [("1-42-B", "NEW"), ("1-42-B", "FILLED")]
    filled = heard.events[1]
    assert (filled["L"], filled["n"], filled["E"]) == ("30000.00000000", "30.00000000", ORDER.time_ms)
    assert heard.frames[0].startswith(b'{"subscriptionId":0,"event":{"e":"executionReport"')


async def test_equal_orders_have_equal_frames() -> None:
    first, second = Heard(), Heard()
    for heard in (first, second):
        gateway = PaperGateway(heard)
        await gateway.open()
        for number in range(3):
            gateway.send(replace(ORDER, client_order_id=f"1-{number}-B"))
        await gateway.close()
    assert first.frames == second.frames


async def test_a_second_send_makes_no_second_order_and_tells_the_end_again() -> None:
    heard = Heard()
    gateway = PaperGateway(heard)
    await gateway.open()
    gateway.send(ORDER)
    gateway.send(ORDER)
    await gateway.close()
    assert heard.told == [("1-42-B", "NEW"), ("1-42-B", "FILLED"), ("1-42-B", "FILLED")]
    assert heard.frames[1] == heard.frames[2]
    assert (gateway.statistics.sent, gateway.statistics.resent, gateway.statistics.refused) == (1, 1, 0)


async def test_a_refusal_comes_back_as_a_rejected_order() -> None:
    heard = Heard()
    lots = SymbolFilters(tick_size=Decimal(1), lot_step=Decimal(1), minimum_notional=Decimal(0))
    gateway = PaperGateway(heard, filters={"BTCUSDT": lots})
    await gateway.open()
    gateway.send(ORDER)
    await gateway.close()
    assert heard.told == [("1-42-B", "REJECTED")]
    assert heard.events[0]["r"] == "-1013 Filter failure: LOT_SIZE"
    assert gateway.statistics.refused == 1


async def test_what_waits_is_told_with_its_peak_and_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "LIMIT", 3)
    heard = Heard()
    gateway = PaperGateway(heard)
    await gateway.open()
    full = []
    for number in range(4):
        full.append(gateway.is_full)
        gateway.send(replace(ORDER, client_order_id=f"1-{number}-B"))
    assert full == [False, False, False, True]
    assert (gateway.statistics.waiting, gateway.statistics.peak) == (4, 4)
    await asyncio.sleep(0)
    assert (gateway.statistics.waiting, gateway.statistics.peak, gateway.is_full) == (0, 4, False)
    assert len(heard.frames) == 8


async def test_what_is_sent_while_reports_are_heard_is_delivered_too() -> None:
    again = [replace(ORDER, client_order_id="1-43-S", side=Side.SELL)]
    heard = Heard()

    def hear(frame: bytes) -> None:
        heard(frame)
        if again:
            gateway.send(again.pop())

    gateway = PaperGateway(hear)
    await gateway.open()
    gateway.send(ORDER)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [end for end in heard.told if end[1] == "FILLED"] == [("1-42-B", "FILLED"), ("1-43-S", "FILLED")]


async def test_an_error_of_whoever_hears_holds_up_no_other_order() -> None:
    heard = Heard()

    def hear(frame: bytes) -> None:
        heard(frame)
        if len(heard.frames) == 1:
            raise ValueError("a bug")

    gateway = PaperGateway(hear)
    await gateway.open()
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    gateway.send(ORDER)
    gateway.send(replace(ORDER, client_order_id="1-43-B"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard.told[1:] == [("1-43-B", "NEW"), ("1-43-B", "FILLED")]
    assert [str(error) for error in told] == ["a bug"]


def test_an_order_before_the_gateway_is_open_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="open the gateway first"):
        PaperGateway(Heard()).send(ORDER)
