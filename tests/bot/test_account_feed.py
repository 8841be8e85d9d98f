from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from harness.backends.registry import registry
from harness.bot.account_feed import MOST_KEPT, AccountFeed, OrderReport
from harness.bot.wire import Wire
from harness.exchange.fills import FillRules
from harness.exchange.matching import Accepted, Cancelled, Exchange
from harness.exchange.orders import Order, Side
from harness.exchange.reports import canceled, expired, rejected, reports_of, wrapped

if TYPE_CHECKING:
    from pathlib import Path

ORDER = Order(
    client_order_id="1-7-B",
    symbol="AAAUSDT",
    side=Side.BUY,
    quantity=Decimal("0.30000000"),
    price=Decimal("2.50000000"),
    time_ms=1_791_285_058_131,
)
FUTURES = (
    b'{"stream":"key","data":{"e":"ORDER_TRADE_UPDATE","E":6,"T":5,"o":{"s":"AAAUSDT","c":"1-7-B","S":"SELL","q":"3",'
    b'"p":"2.5","ap":"2.4","x":"TRADE","X":"PARTIALLY_FILLED","i":9223372036854775807,"l":"1","z":"2","L":"2.4",%s'
    b'"T":4,"t":12,"rp":"0.24","ps":"LONG"}}}'
)
LITE = (
    b'{"stream":"key","data":{"e":"TRADE_LITE","E":6,"T":5,"s":"AAAUSDT","q":"3","p":"2.5","m":false,"c":"1-7-B",'
    b'"S":"SELL","L":"2.4","l":"1","t":12,"i":9223372036854775807}}'
)


class Told:
    """An account feed, and what it told."""

    def __init__(self, codec: str) -> None:
        self.reports: list[OrderReport] = []
        self.ends: list[str] = []
        self.wire = Wire(registry().codec(codec))
        self.feed = AccountFeed(self.wire, self.reports.append, self.ends.append)


@pytest.fixture
def told(codec_name: str) -> Told:
    return Told(codec_name)


def accepted() -> Accepted:
    taken = Exchange(FillRules()).place(ORDER, ORDER.time_ms + 5)
    assert isinstance(taken, Accepted)
    return taken


def account_update(reason: str, balances: str = "", positions: str = "") -> bytes:
    return f'{{"e":"ACCOUNT_UPDATE","E":1,"T":1,"a":{{"m":"{reason}","B":[{balances}],"P":[{positions}]}}}}'.encode()


def position(amount: str, side: str = "BOTH", symbol: str = "AAAUSDT") -> str:
    return f'{{"s":"{symbol}","pa":"{amount}","ep":"1","up":"0","ps":"{side}"}}'


def test_a_filled_order_is_told_as_it_was_booked_to_the_last_digit(told: Told) -> None:
    taken = accepted()
    for report in reports_of(taken):
        told.feed.on_frame(wrapped(report))
    new, trade = told.reports
    assert (new.execution, new.status, new.trade_id) == ("NEW", "NEW", -1)
    assert not new.filled
    assert not new.commission
    assert taken.fill is not None
    assert trade == OrderReport(
        client_order_id="1-7-B",
        symbol="AAAUSDT",
        side="BUY",
        execution="TRADE",
        status="FILLED",
        reject_reason="NONE",
        last_quantity=ORDER.quantity,
        last_price=taken.fill.price,
        filled=ORDER.quantity,
        commission=taken.fill.fee,
        commission_asset="USDT",
        order_id=taken.order_id,
        trade_id=taken.trade_id,
        time_ms=ORDER.time_ms + 5,
    )
    assert told.feed.counts == {"executionReport": 2}
    assert told.feed.orders == {"NEW": 1, "FILLED": 1}
    assert told.feed.executions == {"NEW": 1, "TRADE": 1}
    assert (told.wire.unknown, told.wire.counts) == ({}, {})


def test_a_cancelled_order_is_told_under_its_own_id(told: Told) -> None:
    told.feed.on_frame(wrapped(canceled(replace(accepted(), cancelled=Cancelled(cancel_id="cancel-1", time_ms=9)))))
    (report,) = told.reports
    assert (report.client_order_id, report.execution, report.status) == ("1-7-B", "CANCELED", "CANCELED")


def test_orders_that_expired_or_were_refused_say_so(told: Told) -> None:
    told.feed.on_frame(wrapped(expired(accepted())))
    told.feed.on_frame(wrapped(rejected(ORDER, "-2010 Duplicate order sent.", 5)))
    assert [(one.status, one.reject_reason, one.order_id) for one in told.reports] == [
        ("EXPIRED", "NONE", 1),
        ("REJECTED", "-2010 Duplicate order sent.", -1),
    ]
    assert told.wire.unknown == {}


def test_a_trade_on_usd_m_is_told_in_the_same_words(told: Told) -> None:
    told.feed.on_frame(FUTURES % b'"N":"USDT","n":"-0.00344416",')
    assert told.reports == [
        OrderReport(
            client_order_id="1-7-B",
            symbol="AAAUSDT",
            side="SELL",
            execution="TRADE",
            status="PARTIALLY_FILLED",
            reject_reason="NONE",
            last_quantity=Decimal(1),
            last_price=Decimal("2.4"),
            filled=Decimal(2),
            commission=Decimal("-0.00344416"),
            commission_asset="USDT",
            order_id=2**63 - 1,
            trade_id=12,
            time_ms=4,
        )
    ]


def test_an_early_notice_of_a_trade_does_not_count_it_twice(told: Told) -> None:
    told.feed.on_frame(LITE)
    told.feed.on_frame(FUTURES % b"")
    assert [(one.filled, one.commission_asset) for one in told.reports] == [(Decimal(2), None)]
    assert told.feed.counts == {"TRADE_LITE": 1, "ORDER_TRADE_UPDATE": 1}
    assert told.feed.events == 2
    assert told.feed.orders == {"PARTIALLY_FILLED": 1}


def test_balances_are_those_last_told(told: Told) -> None:
    for free in (b"1.5", b"2.50000000"):
        told.feed.on_frame(b'{"e":"outboundAccountPosition","E":1,"u":1,"B":[{"a":"BTC","f":"%s","l":"1"}]}' % free)
    told.feed.on_frame(b'{"e":"outboundAccountPosition","E":1,"u":1,"B":[{"a":"USDT","f":"9","l":"0"}]}')
    told.feed.on_frame(b'{"e":"balanceUpdate","E":1,"a":"USDT","d":"-5","T":1}')  # told again in a position
    assert told.feed.balances == {"BTC": Decimal("2.5"), "USDT": Decimal(9)}


def test_positions_are_those_that_are_open_by_symbol_and_side(told: Told) -> None:
    told.feed.on_frame(account_update("ORDER", '{"a":"USDT","wb":"-1.00000001","cw":"0","bc":"0"}', position("-0.020")))
    told.feed.on_frame(account_update("ORDER", "", f"{position('3', 'LONG')},{position('-4', 'SHORT')}"))
    told.feed.on_frame(account_update("GIFT", "", f"{position('0', 'SHORT')},{position('0.000', 'LONG', 'BBBUSDT')}"))
    assert told.feed.balances == {"USDT": Decimal("-1.00000001")}
    assert told.feed.positions == {("AAAUSDT", "BOTH"): Decimal("-0.02"), ("AAAUSDT", "LONG"): Decimal(3)}
    assert told.feed.reasons == {"ORDER": 2, "GIFT": 1}
    assert told.wire.unknown == {"ACCOUNT_UPDATE.a.m=GIFT": 1}


def test_a_flood_of_assets_positions_and_states_fills_no_memory() -> None:
    told = Told("msgspec")
    for start in (0, 4_000):
        each = range(start, start + 4_000)
        balances = ",".join(f'{{"a":"A{number}","wb":"1","cw":"1","bc":"0"}}' for number in each)
        told.feed.on_frame(account_update("ORDER", balances, ",".join(position("1", symbol=f"S{one}") for one in each)))
    told.feed.on_frame(account_update("ORDER", '{"a":"A5","wb":"7","cw":"1","bc":"0"}', position("0", symbol="S5")))
    for number in range(500):
        told.feed.on_frame((FUTURES % b"").replace(b"PARTIALLY_FILLED", b"STATE_%d" % number))
        told.feed.on_frame(account_update(f"REASON_{number}"))
    assert len(told.feed.balances) == MOST_KEPT
    assert len(told.feed.positions) == MOST_KEPT - 1
    assert told.feed.balances["A5"] == 7
    assert told.feed.not_kept == 2 * (8_000 - MOST_KEPT)
    assert len(told.feed.orders) == len(told.feed.reasons) == 65


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (b'{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}', "eventStreamTerminated"),
        (b'{"stream":"key","data":{"e":"listenKeyExpired","E":1,"listenKey":"key"}}', "listenKeyExpired"),
        (b'{"event":{"e":"serverShutdown","E":1}}', "serverShutdown"),
    ],
)
def test_the_end_of_the_stream_is_told_and_over_when_events_come_again(
    frame: bytes, name: str, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    states = []
    for each in (LITE, frame, frame, LITE):
        told.feed.on_frame(each)
        states.append(told.feed.stream_ended)
    assert states == [False, True, True, False]
    assert told.ends == [name, name]
    assert [record.getMessage() for record in caplog.records] == [f"the account's stream ends: {name}"]


def test_margin_calls_are_counted_and_one_a_minute_is_logged(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    endangered = b'{"s":"%s","ps":"LONG","pa":"1","mt":"CROSSED","iw":"0","mp":"8","up":"-1","mm":"1"}'
    caplog.set_level(logging.WARNING, "harness.bot.account_feed")
    many = b",".join(endangered % b"S%d" % number for number in range(12))
    for time_ms in (1_000, 30_000, 60_999, 61_000, 62_000):
        told.feed.on_frame(b'{"e":"MARGIN_CALL","E":%d,"cw":"3","p":[%s]}' % (time_ms, many))
    assert told.feed.counts == {"MARGIN_CALL": 5}
    told_once = "margin call for 12 positions: S0, S1, S2, S3, S4, S5, S6, S7, S8, S9"
    assert [record.getMessage() for record in caplog.records] == [told_once, told_once]


def test_what_is_no_event_malformed_or_unread_leaves_all_as_it_was(told: Told) -> None:
    for frame in (
        b'{"id":1,"status":200,"result":{}}',
        b"{",
        b"",
        b'{"e":"listStatus"}',
        b'{"e":"GRID_UPDATE","E":1}',
        b'{"e":"novelty","E":1}',
        b'{"e":"outboundAccountPosition","E":1,"B":[{"a":"BTC","f":"1","l":"0"},{"a":"ETH","f":"-1","l":"0"}]}',
        account_update("ORDER", "", f"{position('1')},{position('NaN', 'LONG')}"),
    ):
        told.feed.on_frame(frame)
    assert (told.feed.counts, told.feed.balances, told.feed.positions) == ({}, {}, {})
    assert told.wire.malformed == {"account": 2, "listStatus": 1, "outboundAccountPosition": 1, "ACCOUNT_UPDATE": 1}
    assert (told.wire.unread, told.wire.unknown) == ({"GRID_UPDATE": 1}, {"novelty": 1})
    assert told.wire.counts["malformed_account"] == 5


def test_a_feed_that_nobody_listens_to_counts_all_the_same() -> None:
    feed = AccountFeed(Wire(registry().codec("json")))
    feed.on_frame(FUTURES % b"")
    feed.on_frame(b'{"e":"listenKeyExpired","E":1}')
    assert feed.events == 2


@pytest.mark.shared
def test_the_account_events_of_2026_are_all_taken(told: Told, shared_recordings: Path) -> None:
    for name in ("spot-user-data-2026", "usdm-user-data-2026"):
        for frame in (shared_recordings / "user-data" / f"{name}.jsonl").read_bytes().splitlines():
            told.feed.on_frame(frame)
    assert told.feed.counts == {
        "outboundAccountPosition": 1,
        "balanceUpdate": 1,
        "executionReport": 3,
        "MARGIN_CALL": 1,
        "ACCOUNT_UPDATE": 1,
        "ORDER_TRADE_UPDATE": 1,
        "ACCOUNT_CONFIG_UPDATE": 2,
        "TRADE_LITE": 1,
        "listenKeyExpired": 1,
    }
    assert [one.client_order_id for one in told.reports] == [
        "web_6a1b2c3d4e5f",
        "web_6a1b2c3d4e5f",
        "web_1a2b3c",  # cancelled by cancel_7f8e9d
        "TEST",
    ]
    assert told.feed.balances == {
        "BTC": Decimal("0.25"),
        "USDT": Decimal("122624.12345678"),
        "BNB": Decimal(1),
    }
    assert told.feed.positions == {("BTCUSDT", "BOTH"): Decimal("-0.02")}
    assert told.ends == ["listenKeyExpired"]
