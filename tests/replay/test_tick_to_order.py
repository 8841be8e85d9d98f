from __future__ import annotations

from decimal import Decimal

import pytest

from harness.exchange.orders import Side
from harness.replay.orders.latency import Delays, TickToOrder, tick_to_order
from harness.replay.orders.log import AcceptedOrder
from harness.replay.orders.stamps import FrameNames


def order(received_ns: int, trigger_ns: int | None = None, last_ns: int | None = None) -> AcceptedOrder:
    return AcceptedOrder(
        client_order_id="1-1-B",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(1),
        status="FILLED",
        fee=Decimal(0),
        order_id=1,
        trade_id=1,
        order_ms=1,
        received_ms=1,
        received_ns=received_ns,
        trigger_sent_ns=trigger_ns,
        last_sent_ns=last_ns,
    )


def test_delays_by_the_named_frame_and_by_the_last_one_are_told_apart() -> None:
    lines = [order(1_000_000 + 1_000 * delay, 1_000_000, 1_000_000 + 500 * delay) for delay in range(101)]
    told = tick_to_order(lines)
    assert told.named == Delays(count=101, p50_us=50.0, p90_us=90.0, p99_us=99.0, max_us=100.0)
    assert told.last == Delays(count=101, p50_us=25.0, p90_us=45.0, p99_us=49.5, max_us=50.0)


def test_between_two_orders_the_quantile_lies_on_the_straight_line() -> None:
    told = tick_to_order([order(1_000, 0), order(3_000, 0)])
    assert told.named == Delays(count=2, p50_us=2.0, p90_us=2.8, p99_us=2.98, max_us=3.0)


def test_orders_without_stamps_tell_nothing() -> None:
    nothing = TickToOrder(named=None, last=None, impossible=0)
    assert tick_to_order([]) == tick_to_order([order(5)]) == nothing


def test_an_order_before_its_frame_is_counted_and_left_out() -> None:
    told = tick_to_order([order(5, 6, 6), order(2_005, 5)])
    assert told == TickToOrder(
        named=Delays(count=1, p50_us=2.0, p90_us=2.0, p99_us=2.0, max_us=2.0), last=None, impossible=2
    )


@pytest.mark.parametrize(
    ("client_order_id", "frame"),
    [
        ("1-42-B", 42),
        ("1700000000-9223372036854775807-S", 2**63 - 1),
        ("1-9223372036854775808-S", None),
        ("1-0-B", None),
        ("1-42-X", None),
        ("x1-42-B", None),
        ("1-٣-B", None),
        ("", None),
    ],
)
def test_the_ids_of_the_bundled_bot_name_their_frame(client_order_id: str, frame: int | None) -> None:
    assert FrameNames().frame_in(client_order_id) == frame


def test_another_client_names_frames_in_its_own_way() -> None:
    names = FrameNames(r"f(?P<frame>\d*)(-.*)?")
    assert [names.frame_in(name) for name in ("f7-x", "f8", "f", "f٣", "1-7-B")] == [7, 8, None, None, None]


@pytest.mark.parametrize(("pattern", "problem"), [("(", "no regular expression"), ("[0-9]+", "names no group")])
def test_a_pattern_that_can_name_no_frame_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FrameNames(pattern)
