from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from harness.exchange.filters import SymbolFilters
from harness.recordings.format import Frame, Header
from harness.replay.rest.exchange_info import spot_symbol, usdm_symbol
from harness.replay.rest.index import TapeIndex
from harness.replay.rest.listings import Listing, listings_of, split
from harness.replay.tape import tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from harness.recordings.format import Market


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [
        ("BTCUSDT", "BTC", "USDT"),
        ("BTCTUSD", "BTC", "TUSD"),
        ("BTCFDUSD", "BTC", "FDUSD"),
        ("ETHBTC", "ETH", "BTC"),
        ("BUSDTRY", "BUSD", "TRY"),
        ("USDTBRL", "USDT", "BRL"),
        ("USDCUSDT", "USDC", "USDT"),
        ("TUSDT", "T", "USDT"),
        ("BTCUSDT_260327", "BTC", "USDT"),
        ("BTCUSD_PERP", "BTC", "USD"),
        ("AAAXYZ", "AAA", "XYZ"),
        ("XY", "XY", "XY"),
    ],
)
def test_a_symbol_is_split_at_the_longest_quote_asset(symbol: str, base: str, quote: str) -> None:
    assert split(symbol) == (base, quote)


def listing(symbol: str, tick: str = "0.01", step: str = "0.001", minimum: str = "5") -> Listing:
    base, quote = split(symbol)
    filters = SymbolFilters(tick_size=Decimal(tick), lot_step=Decimal(step), minimum_notional=Decimal(minimum))
    return Listing(symbol=symbol, base=base, quote=quote, filters=filters)


def by_type(symbol: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["filterType"]: one for one in symbol["filters"]}


def test_a_spot_symbol_bears_its_steps_and_the_first_filter_is_the_prices() -> None:
    symbol = spot_symbol(listing("BTCUSDT"))
    assert symbol["filters"][0]["tickSize"] == "0.01000000"
    assert by_type(symbol)["LOT_SIZE"]["stepSize"] == "0.00100000"
    assert by_type(symbol)["NOTIONAL"]["minNotional"] == "5.00000000"
    assert (symbol["status"], symbol["baseAsset"], symbol["quoteAsset"]) == ("TRADING", "BTC", "USDT")


def test_a_usdm_symbol_is_a_perpetual_with_its_precisions() -> None:
    symbol = usdm_symbol(listing("BTCUSDT", tick="0.10", step="1"))
    assert (symbol["contractType"], symbol["pair"], symbol["marginAsset"]) == ("PERPETUAL", "BTCUSDT", "USDT")
    assert (symbol["pricePrecision"], symbol["quantityPrecision"]) == (1, 0)
    assert symbol["filters"][0]["tickSize"] == "0.10"
    assert by_type(symbol)["MIN_NOTIONAL"]["notional"] == "5"


def test_a_name_with_a_date_is_a_quarterly_contract_that_ends_at_eight() -> None:
    symbol = usdm_symbol(listing("BTCUSDT_260327"))
    assert (symbol["contractType"], symbol["deliveryDate"]) == ("CURRENT_QUARTER", 1_774_598_400_000)
    coin = usdm_symbol(listing("BTCUSD_PERP"))
    assert (coin["contractType"], coin["marginAsset"], coin["pair"]) == ("PERPETUAL", "BTC", "BTCUSD")


BODIES = (
    b'{"stream":"aaausdt@bookTicker","data":{"b":"1.20000000","B":"3.00000000","a":"1.23000000","A":"4.50000000"}}',
    b'{"stream":"aaausdt@depth@100ms","data":{"e":"depthUpdate","b":[["1.23400000","7.25000000"]],"a":[]}}',
    b'{"stream":"aaausdt@kline_1m","data":{"k":{"o":"1.2","c":"1.2","v":"9.125","q":"3.12345678"}}}',
    b'{"stream":"!bookTicker","data":{"s":"ZZZUSDT"}}',
    b'{"stream":"aaausdt_perpetual@continuousKline_1m","data":{}}',
    b"not json",
)


def listed(market: Market, **header: Any) -> dict[str, Listing]:
    frames = [Frame(Nanoseconds(0), "market", body) for body in BODIES]
    frames.append(Frame(Nanoseconds(0), "rest:/api/v3/depth?symbol=CCCBTC", b'{"lastUpdateId":1,"bids":[],"asks":[]}'))
    head = Header(market=market, start_ms=0, source="imported", title="x", **({"streams": ()} | header))
    return listings_of(head, TapeIndex(tape_of(frames)), frames)


def test_without_filters_the_steps_follow_from_the_decimals_shown() -> None:
    found = listed("spot", streams=("bbbusdt@trade",))
    assert list(found) == ["BBBUSDT", "AAAUSDT", "CCCBTC"]
    filters = found["AAAUSDT"].filters
    assert (filters.tick_size, filters.lot_step) == (Decimal("0.001"), Decimal("0.001"))
    assert found["BBBUSDT"].filters.tick_size == 1


def test_usdm_writes_as_many_decimals_as_the_step_has() -> None:
    assert listed("usdm")["AAAUSDT"].filters.tick_size == Decimal("0.00000001")


def test_filters_of_the_header_are_taken_as_they_are() -> None:
    known = listing("AAAUSDT").filters
    assert listed("spot", filters={"AAAUSDT": known})["AAAUSDT"].filters is known
