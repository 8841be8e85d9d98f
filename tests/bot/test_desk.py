from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backends.registry import registry
from harness.bot.settings import BotSettings, MarketSettings, MomentumSettings, RiskSettings
from harness.exchange.filters import SymbolFilters

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bot.conftest import Traded

    TradeOn = Callable[..., Traded]

#: Enters at the least rise, from the second price on, and pauses for nothing.
EAGER = BotSettings(
    market=MarketSettings(fast=2, slow=4),
    strategy=MomentumSettings(warm_up=2, entry=0.0, exit=0.0, flow=-1.0),
    risk=RiskSettings(maximum_open=3, cool_down_ms=0, maximum_hold_ms=1_000),
)
SYMBOLS = ("aaa", "bbb", "ccc", "ddd", "eee")


def book(symbol: str, bid: float | str, ask: float | str, sizes: tuple[object, object] = (1, 1)) -> bytes:
    payload = {"u": 1, "s": symbol.upper(), "b": str(bid), "B": str(sizes[0]), "a": str(ask), "A": str(sizes[1])}
    return f'{{"stream":"{symbol}@bookTicker","data":{json.dumps(payload)}}}'.encode()


def trade(symbol: str, time_ms: int, price: float | str, *, sold: bool = False) -> bytes:
    payload = {"e": "trade", "E": time_ms, "s": symbol.upper(), "t": 1, "p": str(price), "q": "1", "m": sold}
    return f'{{"stream":"{symbol}@trade","data":{json.dumps(payload)}}}'.encode()


def candle(symbol: str, time_ms: int, opened: object, closed: object, *, closing: bool = False) -> bytes:
    prices = {"o": str(opened), "c": str(closed), "h": "1", "l": "1", "v": "1"}
    inner = {"t": time_ms, "T": time_ms + 59_999, "i": "1m", "n": 1, "x": closing, **prices}
    payload = {"e": "kline", "E": time_ms, "s": symbol.upper(), "k": inner}
    return f'{{"stream":"{symbol}@kline_1m","data":{json.dumps(payload)}}}'.encode()


def state_in(traded: Traded) -> dict[str, object]:
    state = traded.desk.market.symbols["AAA"]
    return {name: getattr(state, name) for name in state.__slots__} | {"today": state.today.value}


def features_in(traded: Traded) -> list[float]:
    assert traded.desk.digest.trace is not None
    found = [value for line in traded.desk.digest.trace for value in re.findall(r"'([^']*)'", line)]
    return [float.fromhex(value) for value in found]


#: Prices and quantities as a wire may carry them: ordinary ones, and all that a record's bounds let through.
AMOUNTS = (
    st.decimals("0.00000001", "100000", places=8).map(str)
    | st.sampled_from(["0", "0.00000000", "-0", "1e18", "1e-8", "1e-12", "9.9e-13", "5e-324", "999999999999999999"])
    | st.floats(0, 1e18).map(repr)
)
TIMES = st.integers(1, 32_503_680_000_000) | st.integers(1_790_000_000_000, 1_790_000_060_000)
EVENTS = st.one_of(
    st.builds(book, st.sampled_from(SYMBOLS), AMOUNTS, AMOUNTS, st.tuples(AMOUNTS, AMOUNTS)),
    st.builds(trade, st.sampled_from(SYMBOLS), TIMES, AMOUNTS, sold=st.booleans()),
    st.builds(candle, st.sampled_from(SYMBOLS), TIMES, AMOUNTS, AMOUNTS, closing=st.booleans()),
)
FILTERS = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.001"), minimum_notional=Decimal(5))


@given(frames=st.lists(EVENTS, max_size=60), known=st.booleans())
@settings(max_examples=300)
def test_no_event_within_the_bounds_breaks_the_desk(frames: list[bytes], known: bool, trade_on: TradeOn) -> None:  # noqa: FBT001 - hypothesis passes by name
    filters = {symbol.upper(): FILTERS for symbol in SYMBOLS} if known else {}
    traded = trade_on([trade("aaa", 1, "1"), *frames], settings=EAGER, filters=filters, trace=True)
    traded.desk.finish()
    assert traded.wire.counts == {}
    assert all(math.isfinite(value) for value in features_in(traded))
    assert len(traded.desk.ledger.positions) <= EAGER.risk.maximum_open
    for record in traded.saved:
        step = filters[record.symbol].lot_step if known else Decimal("0.00000001")
        assert record.quantity.is_finite()
        assert record.quantity > 0
        assert record.quantity % step == 0
        assert record.entry_price > 0
        assert record.pnl is None or record.pnl.is_finite()


@given(
    moves=st.lists(st.tuples(st.sampled_from(SYMBOLS[:2]), st.integers(-40, 40)), min_size=20, max_size=120),
    start=st.sampled_from([1e-8, 0.00001234, 1.0, 86_000.0, 1e9]),
)
@settings(max_examples=100)
def test_on_any_walk_of_prices_the_books_balance(moves: list[tuple[str, int]], start: float, trade_on: TradeOn) -> None:
    prices = dict.fromkeys(SYMBOLS, start)
    frames = [trade("zzz", 1, "1")]
    for number, (symbol, move) in enumerate(moves):
        prices[symbol] = max(prices[symbol] * (1 + move / 1_000), 1e-8)
        bid = f"{prices[symbol]:.8f}"
        frames += [trade("zzz", 1 + number * 300, "1"), book(symbol, bid, f"{float(bid) + 1e-8:.8f}")]
    traded = trade_on(frames, settings=EAGER)
    closed = [record for record in traded.saved if record.closed_ms is not None]
    for record in closed:
        assert record.exit_price is not None
        assert record.pnl == record.quantity * record.exit_price - record.quantity * record.entry_price - record.fees
        assert record.fees > 0
        assert record.closed_ms is not None
        assert record.closed_ms >= record.opened_ms
    assert traded.desk.ledger.trades_opened == len(closed) + len(traded.desk.ledger.positions)


def test_a_rise_is_bought_at_the_ask_and_sold_when_it_turns(trade_on: TradeOn) -> None:
    rising = [book("aaa", 100 + step, 100.01 + step) for step in range(5)]
    falling = [book("aaa", 103.5 - step / 10, 103.51 - step / 10) for step in range(9)]
    traded = trade_on([trade("zzz", 1_000, 100), *rising, *falling], settings=EAGER, filters={"AAA": FILTERS})
    bought, sold = traded.saved[:2]
    assert bought.trade_id == sold.trade_id == "1-3-B"
    assert bought.entry_price == Decimal("101.03")  # the ask of 101.01, and 0.0001 of slippage, up to the tick
    assert bought.quantity == Decimal("9.900")
    assert (bought.pnl, bought.closed_ms, bought.reason) == (None, None, None)
    assert sold.pnl is not None
    assert sold.reason == "take-profit"
    assert sold.entry_price == bought.entry_price
    assert sold.opened_ms == sold.closed_ms == 1_000


def test_before_the_first_event_time_nothing_is_decided(trade_on: TradeOn) -> None:
    rising = [book("aaa", 100 + step, 100.01 + step) for step in range(9)]
    silent = trade_on(rising, settings=EAGER, trace=True)
    assert silent.desk.digest.trace == []
    assert silent.saved == []
    assert silent.desk.market.symbols["AAA"].observations == 9


def test_event_time_never_runs_back(trade_on: TradeOn) -> None:
    frames = [trade("aaa", 5_000, 100), trade("aaa", 4_000, 100), book("aaa", 99, 100)]
    assert trade_on(frames).desk.market.time_ms == 5_000


@pytest.mark.parametrize(
    "absurd",
    [
        book("aaa", "0.00000000", "100.01"),  # nobody buys
        book("aaa", "100", "0.00000000"),  # nobody sells
        book("aaa", "0", "0"),
        book("aaa", "101", "100"),  # crossed
        book("aaa", "9e-13", "100"),
        trade("aaa", 1_000, "0"),
        trade("aaa", 1_000, "1e-13"),
        candle("aaa", 1_000, "0", "0"),
        candle("aaa", 1_000, "1", "0"),
        candle("aaa", 1_000, "5e-324", "1e18"),
    ],
    ids=lambda frame: frame.decode()[11:150],
)
def test_prices_of_nothing_are_counted_and_decide_nothing(absurd: bytes, trade_on: TradeOn) -> None:
    before = [trade("aaa", 1_000, 100), book("aaa", 100, "100.01")]
    after = trade_on([*before, absurd], settings=EAGER, trace=True)
    plain = trade_on(before, settings=EAGER, trace=True)
    assert after.desk.market.prices_ignored == 1
    assert after.desk.digest.trace == plain.desk.digest.trace
    assert state_in(after) == state_in(plain)


def test_an_empty_side_closes_no_position(trade_on: TradeOn) -> None:
    rising = [book("aaa", 100 + step / 1_000, 100.01 + step / 1_000) for step in range(6)]
    traded = trade_on([trade("aaa", 1_000, 100), *rising, book("aaa", 0, 100.02), book("aaa", 0, 0)], settings=EAGER)
    assert list(traded.desk.ledger.positions) == ["AAA"]
    assert traded.desk.market.prices_ignored == 2


def test_malformed_frames_count_as_frames_and_leave_everything_as_it_was(trade_on: TradeOn) -> None:
    frames = [trade("aaa", 1_000, 100), book("aaa", 100, 101), b"", b"{", b'{"stream":"aaa@trade","data":{"p":"-1"}}']
    traded = trade_on(frames)
    assert traded.desk.frames == 5
    assert traded.wire.counts == {"malformed": 3}
    assert traded.desk.market.symbols["AAA"].observations == 2


def test_candles_and_mini_tickers_and_depth_take_their_part(trade_on: TradeOn) -> None:
    mini = '{"e":"24hrMiniTicker","E":9000,"s":"AAA","c":"5","o":"1","h":"6","l":"0","v":"10","q":"18"}'
    depth = '{"e":"depthUpdate","E":9500,"s":"AAA","U":5,"u":7,"b":[],"a":[]}'
    frames = [
        candle("aaa", 1_000, "100", "101"),
        f'{{"stream":"aaa@miniTicker","data":{mini}}}'.encode(),
        f'{{"stream":"aaa@depth","data":{depth}}}'.encode(),
        f'{{"stream":"aaa@depth","data":{depth.replace("5,", "8,", 1)}}}'.encode(),
    ]
    traded = trade_on(frames, trace=True)
    state = traded.desk.market.symbols["AAA"]
    assert state.trend == 101 / 100 - 1
    assert traded.desk.market.time_ms == 9_500
    assert len(traded.desk.digest.trace or []) == 1  # the candle alone was a reason to decide


@pytest.mark.parametrize("name", ["json", "orjson", "msgspec"])
def test_what_is_saved_with_a_trade_can_be_written_as_json(name: str, trade_on: TradeOn) -> None:
    if not registry().is_installed("codec", name):
        pytest.skip(f"{name} is not installed")
    codec = registry().codec(name)
    rising = [book("aaa", 100 + step, 100.01 + step) for step in range(5)]
    record = trade_on([trade("aaa", 1_000, 100), *rising], settings=EAGER).saved[0]
    written: Any = codec.loads(codec.dumps({"features": record.features, "fees": record.fees}))
    assert written == {"features": record.features, "fees": str(record.fees)}
