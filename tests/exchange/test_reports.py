from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from harness.exchange import reports
from harness.exchange.answers import own_trades_of, status_of
from harness.exchange.matching import Accepted, Exchange
from harness.exchange.orders import Order, Side, Terms

if TYPE_CHECKING:
    from pathlib import Path

ORDER = Order(
    client_order_id="1-42-S",
    symbol="BTCUSDT",
    side=Side.SELL,
    quantity=Decimal("0.5"),
    price=Decimal(30000),
    time_ms=1_700_000_000_000,
)


def accepted(*, expires: bool = False) -> Accepted:
    made = Exchange(last_order_id=8).place(ORDER, 77, expires=expires)
    assert isinstance(made, Accepted)
    return made


def rested() -> Accepted:
    made = Exchange(last_order_id=8).place(dataclasses.replace(ORDER, terms=Terms.GTC), 77)
    assert isinstance(made, Accepted)
    return made


def cancelled() -> Accepted:
    exchange = Exchange(last_order_id=8)
    exchange.place(dataclasses.replace(ORDER, terms=Terms.MAKER), 77)
    made = exchange.cancel("BTCUSDT", order_id=9, cancel_id="cancel-1", now_ms=99)
    assert isinstance(made, Accepted)
    return made


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The real shapes of 2026."""
    lines = (folder / "user-data" / "spot-user-data-2026.jsonl").read_text().splitlines()
    events = [json.loads(line).get("event", {}) for line in lines]
    return [event for event in events if event.get("e") == "executionReport"]


@pytest.mark.shared
def test_each_field_stands_where_the_exchange_writes_it(shared_recordings: Path) -> None:
    by_kind = {event["x"]: event for event in recorded(shared_recordings)}
    first, second = reports.reports_of(accepted())
    assert list(first) == list(by_kind["NEW"])
    assert list(second) == list(by_kind["TRADE"])
    assert list(reports.canceled(cancelled())) == list(by_kind["CANCELED"])
    for ours, theirs in ((first, by_kind["NEW"]), (second, by_kind["TRADE"])):
        assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in theirs.items()}


def test_a_filled_order_is_new_and_then_traded_whole() -> None:
    first, second = reports.reports_of(accepted())
    assert (first["x"], first["X"], first["z"], first["t"], first["w"]) == ("NEW", "NEW", "0.00000000", -1, True)
    assert (second["x"], second["X"], second["l"], second["z"]) == ("TRADE", "FILLED", "0.50000000", "0.50000000")
    assert (second["L"], second["Y"], second["Z"]) == ("30000.00000000", "15000.00000000", "15000.00000000")
    assert (second["n"], second["N"], second["t"], second["i"]) == ("15.00000000", "USDT", 1, 9)
    assert first["I"] < second["I"]
    assert first["E"] == second["T"] == 77


def test_an_order_that_expired_says_why() -> None:
    assert [(one["x"], one["X"], one.get("eR")) for one in reports.reports_of(accepted(expires=True))] == [
        ("NEW", "NEW", None),
        ("EXPIRED", "EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED"),
    ]
    with pytest.raises(ValueError, match="was not filled"):
        reports.trade(accepted(expires=True))


def test_an_order_that_rests_is_new_and_nothing_else() -> None:
    (report,) = reports.reports_of(rested())
    assert (report["x"], report["X"], report["o"], report["f"]) == ("NEW", "NEW", "LIMIT", "GTC")


def test_a_cancelled_order_is_named_by_its_original_id() -> None:
    (report,) = reports.reports_of(cancelled())
    assert (report["c"], report["C"], report["x"], report["X"]) == ("cancel-1", "1-42-S", "CANCELED", "CANCELED")
    assert (report["o"], report["f"], report["O"], report["T"], report["i"]) == ("LIMIT_MAKER", "GTC", 77, 99, 9)
    with pytest.raises(ValueError, match="was not cancelled"):
        reports.canceled(rested())


def test_a_rejected_order_has_no_id_and_a_reason_of_bounded_length() -> None:
    report = reports.rejected(ORDER, "x" * 1_000, 5)
    assert (report["X"], report["i"], report["I"], report["r"], report["E"]) == ("REJECTED", -1, -1, "x" * 200, 5)


def test_a_report_made_of_answers_is_the_one_that_was_lost() -> None:
    for made in (accepted(), accepted(expires=True), cancelled()):
        lost = reports.reports_of(made)[-1]
        lost.pop("eR", None)  # no answer tells it
        lost |= {"c": "1-42-S", "C": ""}  # nor the id of the request that cancelled it
        assert reports.recovered(status_of(made), own_trades_of(made)) == lost


def test_several_trades_become_one_at_their_mean_price() -> None:
    half = replace(own_trades_of(accepted())[0], qty="0.25000000", quote_qty="7500.00000000", commission="7.50000000")
    dearer = replace(half, price="30002.00000000", quote_qty="7500.50000000")
    report = reports.recovered(status_of(accepted()), [half, dearer])
    assert (report["l"], report["L"], report["n"]) == ("0.50000000", "30001.00000000", "15.00000000")


def test_the_wire_is_compact_json_in_the_envelope_of_the_websocket_api() -> None:
    report = reports.new(accepted())
    text = reports.wrapped(report)
    assert text.startswith(b'{"subscriptionId":0,"event":{"e":"executionReport","E":77,"s":"BTCUSDT","c":"1-42-S",')
    assert json.loads(text)["event"] == report
