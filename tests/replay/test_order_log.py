from __future__ import annotations

import logging
import os
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from harness.errors import ConfigError, NotTrustworthy, ResultError
from harness.exchange.matching import Accepted, Exchange
from harness.exchange.orders import Order, Side, Terms
from harness.replay.orders.log import AcceptedOrder, OrderLog, accepted_of, cancel_line_of, line_of, read_log
from harness.replay.orders.stamps import Stamps
from harness.replay.orders.trades import ExpectedTrade, trades_of

if TYPE_CHECKING:
    from pathlib import Path


def accepted(
    count: int,
    *,
    first: int = 1,
    side: Side = Side.BUY,
    symbol: str = "BTCUSDT",
    expires: bool = False,
    terms: Terms = Terms.IOC,
) -> list[Accepted]:
    exchange = Exchange(last_order_id=first - 1, last_trade_id=first - 1)
    made = []
    for number in range(first, first + count):
        order = Order(
            client_order_id=f"1-{number}-{side[0]}",
            symbol=symbol,
            side=side,
            quantity=Decimal("0.5"),
            price=Decimal("30000.25") + number,
            time_ms=5,
            terms=terms,
        )
        placed = exchange.place(order, 7, expires=expires)
        assert isinstance(placed, Accepted)
        made.append(placed)
    return made


def lines(count: int, *, first: int = 1) -> list[AcceptedOrder]:
    return [line_of(one, 9) for one in accepted(count, first=first)]


def bought(number: int, symbol: str = "BTCUSDT") -> AcceptedOrder:
    return line_of(accepted(1, first=number, symbol=symbol)[0], 9)


def sold(number: int, symbol: str = "BTCUSDT") -> AcceptedOrder:
    return line_of(accepted(1, first=number, symbol=symbol, side=Side.SELL)[0], 9)


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        log.append(lines(2))
        log.append([])
        log.append(lines(1, first=3))
    assert read_log(path) == lines(3)
    assert path.read_text().splitlines()[0] == (
        '{"v":2,"client_order_id":"1-1-B","symbol":"BTCUSDT","side":"BUY","quantity":"0.5","price":"30001.25",'
        '"status":"FILLED","fee":"15.000625","order_id":1,"trade_id":1,"order_ms":5,"received_ms":7,"received_ns":9,'
        '"terms":"IOC","trigger_frame":null,"trigger_sent_ns":null,"last_sent_ns":null}'
    )


OLD = (
    '{"v":1,"client_order_id":"1-1-B","symbol":"BTCUSDT","side":"BUY","quantity":"0.5","price":"30001.25",'
    '"status":"FILLED","fee":"15.000625","order_id":1,"trade_id":1,"order_ms":5,"received_ms":7,"received_ns":9}\n'
)


def test_a_log_of_the_first_version_is_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text(OLD)
    assert read_log(path) == [replace(lines(1)[0], v=1)]
    with OrderLog(path) as log:
        assert log.find("1-1-B") == accepted(1)[0]
        log.append(lines(1, first=2))
    assert [line.v for line in read_log(path)] == [1, 2]


def test_what_was_sent_before_an_order_is_written_with_it(tmp_path: Path) -> None:
    stamps = Stamps(trigger_frame=42, trigger_sent_ns=3, last_sent_ns=4)
    with OrderLog(tmp_path / "orders.jsonl") as log:
        log.append([line_of(accepted(1)[0], 9, stamps)])
    assert read_log(tmp_path / "orders.jsonl")[0].stamps == stamps


def cancelled(one: Accepted) -> Accepted:
    exchange = Exchange(open_orders=[one])
    done = exchange.cancel(one.order.symbol, order_id=one.order_id, cancel_id="c-1", now_ms=11)
    assert isinstance(done, Accepted)
    return done


def test_orders_that_rest_survive_and_so_does_their_end(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    first, second = accepted(2, terms=Terms.GTC)
    with OrderLog(path) as log:
        assert log.open_orders() == []
        log.append([line_of(first, 9), line_of(second, 9)])
    done = cancelled(first)
    with OrderLog(path) as log:
        assert log.open_orders() == [first, second]
        log.append([cancel_line_of(done, 12)])
        assert [log.find("1-1-B"), log.numbered(2)] == [done, second]
    with OrderLog(path) as log:
        assert log.open_orders() == [second]
        assert log.find("1-1-B") == done
        log.append(lines(1, first=3))
    assert [(line.order_id, line.status) for line in read_log(path)] == [(1, "CANCELED"), (2, "NEW"), (3, "FILLED")]
    assert trades_of(read_log(path)) == trades_of(lines(1, first=3))
    with pytest.raises(ValueError, match="was not cancelled"):
        cancel_line_of(first, 12)


def test_a_log_in_which_what_did_not_rest_was_cancelled_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    (resting,) = accepted(1, terms=Terms.MAKER)
    with OrderLog(path) as log:
        log.append([line_of(resting, 9), cancel_line_of(cancelled(resting), 12)])
    order, cancel = path.read_text().splitlines(keepends=True)
    for bad in (cancel, order + cancel + cancel, OLD + cancel):
        path.write_text(bad)
        with pytest.raises(ResultError, match="an order is missing or stands here twice"):
            OrderLog(path)
    path.write_text(order + cancel[:-30])
    with OrderLog(path) as log:
        assert log.open_orders() == [resting], "a cancellation cut in half was never told"


def test_an_order_that_is_being_written_is_not_found_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Accepted | None] = []
    with OrderLog(tmp_path / "orders.jsonl") as log:
        monkeypatch.setattr(os, "fsync", lambda _: found.append(log.find("1-1-B")))
        log.append(lines(1))
        assert log.find("1-1-B") is not None
    assert found == [None]


def test_what_was_appended_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_bytes()))
        log.append(lines(2))
    assert synced == [path.read_bytes()]


def test_an_order_comes_back_as_the_exchange_knew_it(tmp_path: Path) -> None:
    made = [*accepted(2), *accepted(1, first=3, expires=True)]
    with OrderLog(tmp_path / "orders.jsonl") as log:
        log.append([line_of(one, 9) for one in made[:2]])
        log.append([line_of(one, 9) for one in made[2:]])
        assert [log.find(one.order.client_order_id) for one in made] == made
        assert [log.numbered(number) for number in range(5)] == [None, *made, None]
        assert log.find("nobody") is None
    assert [accepted_of(line) for line in read_log(tmp_path / "orders.jsonl")] == made


def test_a_log_is_gone_on_with_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        log.append(lines(2))
    with OrderLog(path) as log:
        assert (len(log), log.last_order_id, log.last_trade_id) == (2, 2, 2)
        log.append(lines(1, first=3))
        assert log.find("1-3-B") == accepted(1, first=3)[0]
        assert log.find("1-1-B") == accepted(1)[0]
    assert read_log(path) == lines(3)


@pytest.mark.parametrize("kept", [1, 150, -1])
def test_a_line_that_a_kill_cut_in_half_is_cut_off_with_a_warning(
    tmp_path: Path, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        log.append(lines(2))
    whole = path.read_bytes()
    first, second = whole.splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    assert read_log(path) == lines(1)
    with caplog.at_level(logging.WARNING), OrderLog(path) as log:
        assert log.find("1-2-B") is None
        log.append(lines(1, first=2))
    assert "its last line is not whole and was cut off" in caplog.text
    assert path.read_bytes() == whole


def test_a_whole_log_is_opened_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with OrderLog(tmp_path / "orders.jsonl") as log:
            log.append(lines(1, first=len(log) + 1))
    assert caplog.text == ""


@pytest.mark.parametrize("text", ["{}", "hello", '{"v":2}', "\x00" * 3_000])
def test_a_file_that_is_no_log_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        log.append(lines(1))
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(ResultError, match=r"orders\.jsonl, line 2: "):
        read_log(path)
    with pytest.raises(ResultError, match=r"orders\.jsonl, line 2: "):
        OrderLog(path)


def test_a_log_with_an_order_missing_or_doubled_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        log.append(lines(3))
    first, second, third = path.read_text().splitlines(keepends=True)
    for bad in (first + third, first + second + second, second + third):
        path.write_text(bad)
        with pytest.raises(ResultError, match="an order is missing or stands here twice"):
            OrderLog(path)


def test_one_gateway_writes_to_a_log(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path), pytest.raises(ConfigError, match="another order gateway writes to it; choose another --log"):
        OrderLog(path)
    OrderLog(path).close()


def test_a_log_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        OrderLog(tmp_path / "none" / "orders.jsonl")
    with pytest.raises(ResultError, match="cannot be read"):
        read_log(tmp_path / "none.jsonl")


def test_purchases_and_sales_of_a_symbol_are_trades_in_the_order_of_their_purchases() -> None:
    assert trades_of([bought(1), bought(2, "ETHUSDT"), sold(3, "ETHUSDT"), sold(4), bought(5)]) == [
        ExpectedTrade(
            trade_id="1-1-B",
            symbol="BTCUSDT",
            quantity=Decimal("0.5"),
            entry_price=Decimal("30001.25"),
            exit_price=Decimal("30004.25"),
            exit_id="1-4-S",
        ),
        ExpectedTrade(
            trade_id="1-2-B",
            symbol="ETHUSDT",
            quantity=Decimal("0.5"),
            entry_price=Decimal("30002.25"),
            exit_price=Decimal("30003.25"),
            exit_id="1-3-S",
        ),
        ExpectedTrade(trade_id="1-5-B", symbol="BTCUSDT", quantity=Decimal("0.5"), entry_price=Decimal("30005.25")),
    ]


def test_an_order_that_expired_is_no_trade() -> None:
    assert trades_of([line_of(accepted(1, expires=True)[0], 9)]) == []


def test_a_sale_of_what_is_not_held_is_no_trade_of_this_bot() -> None:
    with pytest.raises(NotTrustworthy, match=r"1-2-S sells 0\.5 BTCUSDT where 0 are held"):
        trades_of([bought(1, "ETHUSDT"), sold(2)])
    with pytest.raises(NotTrustworthy, match="where 0 are held"):
        trades_of([bought(1), sold(2), sold(3)])
