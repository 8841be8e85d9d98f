from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backends.registry import registry
from harness.bot.indicators import Atr, Bollinger, Ema, Rsi, Vwap, book_imbalance, relative_spread
from harness.bot.market import LEAST_PRICE
from harness.bot.wire import Wire
from harness.exchange.events import LARGEST, Candle, Kline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DAY_MS = 86_400_000
PRICES = st.floats(LEAST_PRICE, LARGEST)
QUANTITIES = st.floats(0.0, LARGEST)
#: What a price does besides wandering: stands still, and jumps over the whole range.
EXTREMES = (LEAST_PRICE, LARGEST, 1.0, 1e-8, 49_999.99)


def walk(steps: int, *, seed: int = 1, start: float = 50_000.0, move: float = 1e-3) -> Iterator[float]:
    """Prices of a geometric random walk, on a tick of 0.01, with standstills."""
    draw = random.Random(seed)
    price = start
    for _ in range(steps):
        if draw.random() < 0.8:
            price *= math.exp(draw.gauss(0.0, move))
        yield round(price, 2)


def candles(steps: int, *, seed: int = 2) -> list[tuple[float, float, float]]:
    """High, low and close of a seeded walk."""
    draw = random.Random(seed)
    made = []
    for before, close in pairwise(walk(steps + 1, seed=seed)):
        opened = before * math.exp(draw.gauss(0.0, 5e-4))  # a gap now and then: the close before lies outside
        reach = draw.random() * 30.0
        high, low = max(opened, close) + reach, min(opened, close) - reach * draw.random()
        made.append((round(high, 2), round(low, 2), close))
    return made


def klines(frames: Iterable[bytes]) -> dict[str, list[Candle]]:
    """Every update of a candle, open or closed, by symbol."""
    wire = Wire(registry().codec("msgspec"))
    found: dict[str, list[Candle]] = {}
    for frame in frames:
        if b"@kline_" in frame[:80]:
            _, _, event = wire.market_message(frame) or pytest.fail("a kline was not read")
            assert isinstance(event, Kline)
            found.setdefault(event.symbol, []).append(event.candle)
    return found


def rows(found: Sequence[Candle]) -> list[tuple[float, float, float]]:
    return [(candle.high, candle.low, candle.close) for candle in found]


def steps_of(indicator: Any, observations: Iterable[Any], *values: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The named values after every observation, NaN until ready: the shape in which TA-Lib answers."""
    told = []
    for observation in observations:
        indicator.update(*(observation if isinstance(observation, tuple) else (observation,)))
        told.append([getattr(indicator, name) if indicator.ready else math.nan for name in values])
    return np.array(told).T


def same(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any], *, relative: float = 1e-9) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=relative, atol=0.0, equal_nan=True)


def agree_with_talib(series: list[tuple[float, float, float]], *, period: int = 14) -> int:
    """Asserts that all indicators tell what TA-Lib tells, from the first ready value on; returns how many values."""
    talib = pytest.importorskip("talib", reason="TA-Lib's Python package is not installed")
    high, low, close = (np.array(column) for column in zip(*series, strict=True))
    theirs_rsi = talib.RSI(close, period)
    ours_rsi = steps_of(Rsi(period), close.tolist(), "value")[0]
    # TA-Lib calls 0 what does not move at all; here that is 50.
    still = np.array([len(set(close[max(0, n - period) : n + 1].tolist())) == 1 for n in range(len(close))])
    unmoved = still & (theirs_rsi == 0.0)
    assert set(ours_rsi[unmoved]) <= {50.0}
    same(ours_rsi[~unmoved], theirs_rsi[~unmoved])
    same(steps_of(Atr(period), series, "value")[0], talib.ATR(high, low, close, period))
    ours_bands = steps_of(Bollinger(period, 2.0), close.tolist(), "upper", "mean", "lower")
    upper, mean, lower = talib.BBANDS(close, period, 2.0, 2.0)
    same(ours_bands[1], mean)
    # TA-Lib subtracts the square of the mean from the mean of squares: its own bands are good to that only.
    noise = 2.0 * float(np.max(close)) * math.sqrt(period * 2.0**-52)
    for ours, theirs in ((ours_bands[0], upper), (ours_bands[2], lower)):
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=noise, equal_nan=True)
    # TA-Lib begins with a simple mean: of as many first prices as it takes, that is the first price.
    first = np.full(period - 1, close[0])
    theirs_ema = talib.EMA(np.concatenate([first, close]), period)[period - 1 :]
    same(steps_of(Ema(period), close.tolist(), "value")[0][period - 1 :], theirs_ema[period - 1 :])
    return int(np.count_nonzero(~np.isnan(ours_rsi)))


@pytest.mark.parametrize("period", [2, 5, 14, 50])
def test_all_agree_with_talib_on_a_seeded_walk(period: int) -> None:
    assert agree_with_talib(candles(3_000), period=period) == 3_000 - period


def test_all_agree_with_talib_on_the_klines_of_the_shipped_recording(shipped_frames: list[bytes]) -> None:
    found = klines(shipped_frames)
    compared = sum(agree_with_talib(rows(updates)) for updates in found.values() if len(updates) > 14)
    assert compared > 500
    closed = {symbol: [candle for candle in updates if candle.is_closed] for symbol, updates in found.items()}
    assert max(len(updates) for updates in closed.values()) >= 4
    assert sum(agree_with_talib(rows(updates), period=2) for updates in closed.values() if len(updates) > 2) > 20


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "updates", "period", "values"),
    [("spot-btc-eth-dot-kline-2021-04", 118, 14, 76), ("spot-10-symbols-kline-2021", 20, 2, 9)],
)
def test_all_agree_with_talib_on_real_klines(
    real_frames: dict[str, list[bytes]], name: str, updates: int, period: int, values: int
) -> None:
    found = klines(real_frames[name])
    assert sum(len(series) for series in found.values()) == updates
    assert sum(agree_with_talib(rows(series), period=period) for series in found.values() if len(series) > period) == (
        values
    )


def test_the_seed_of_the_average_is_the_first_price_and_that_of_talib_fades() -> None:
    talib = pytest.importorskip("talib", reason="TA-Lib's Python package is not installed")
    prices = np.array(list(walk(400)))
    ours, theirs = steps_of(Ema(20), prices.tolist(), "value")[0], talib.EMA(prices, 20)
    assert abs(ours[19] / theirs[19] - 1.0) > 1e-6
    same(ours[-1:], theirs[-1:])


def test_the_relative_strength_is_that_of_wilders_own_first_value() -> None:
    rises_and_falls = [1.0, -0.5, 2.0, -1.5]
    prices = [10.0]
    for move in rises_and_falls:
        prices.append(prices[-1] + move)
    rsi = Rsi(4)
    for price in prices:
        assert not rsi.ready
        assert rsi.value == 50.0
        rsi.update(price)
    assert rsi.ready
    assert rsi.value == pytest.approx(100.0 - 100.0 / (1.0 + 3.0 / 2.0), rel=1e-15)
    rsi.update(prices[-1] + 1.0)
    assert rsi.value == pytest.approx(100.0 * 3.25 / (3.25 + 1.5), rel=1e-15)


def test_only_rises_are_100_only_falls_0_and_no_move_is_50() -> None:
    for step, expected in ((1.0, 100.0), (-1.0, 0.0), (0.0, 50.0)):
        rsi = Rsi()
        for number in range(40):
            rsi.update(100.0 + step * number)
        assert rsi.value == expected


def test_the_relative_strength_of_a_price_that_long_stood_still_is_50_and_moves_on_from_there() -> None:
    rsi = Rsi()
    for price in walk(100):
        rsi.update(price)
    before = rsi.value
    seen = []
    for _ in range(3_000):
        rsi.update(50_000.0)
        seen.append(rsi.value)
    assert before != 50.0
    assert seen[-1] == 50.0
    moved = [value for value in seen[1:] if value != 50.0]
    assert max(moved) - min(moved) < 1e-9, "a standstill keeps the ratio until nothing of it is left"
    rsi.update(50_001.0)
    assert rsi.value == 100.0


def test_the_true_range_reaches_over_gaps() -> None:
    atr = Atr(2)
    atr.update(11.0, 9.0, 10.0)
    assert (atr.value, atr.ready) == (0.0, False)
    atr.update(15.0, 14.0, 14.5)  # from the close before
    assert (atr.value, atr.ready) == (5.0, False)
    atr.update(13.0, 12.0, 12.5)  # to the close before
    assert (atr.value, atr.ready) == ((5.0 + 2.5) / 2, True)
    atr.update(13.0, 12.0, 12.5)
    assert atr.value == (3.75 + 1.0) / 2


def exact_bands(window: Sequence[float]) -> tuple[float, float]:
    """Mean and population variance of the window, in exact rational arithmetic, each rounded once."""
    exact = [Fraction(price) for price in window]
    mean = sum(exact, Fraction(0)) / len(exact)
    return float(mean), float(sum(((price - mean) ** 2 for price in exact), Fraction(0)) / len(exact))


@pytest.mark.parametrize(
    ("start", "noise"), [(50_000.0, 5.0), (1e15, 1.0), (1e18, 1e3), (1e-12, 1e-14), (1e9, 1e-5)], ids=str
)
def test_the_bands_do_not_drift_in_100_000_steps_however_large_the_offset(start: float, noise: float) -> None:
    draw = random.Random(7)
    bands = Bollinger(20)
    prices: list[float] = []
    for step in range(100_000):
        # A spike over the whole range now and then: what it leaves behind is what rolling sums in floats never lose.
        price = LARGEST if step % 5_003 == 5_000 else max(LEAST_PRICE, start + draw.gauss(0.0, noise))
        prices.append(price)
        bands.update(price)
        if step % 499 == 0 or step >= 99_990:
            mean, variance = exact_bands(prices[-20:])
            assert bands.mean == mean
            assert math.isclose(bands.deviation, math.sqrt(variance), rel_tol=2.0**-51)


@given(st.lists(PRICES | st.sampled_from(EXTREMES), min_size=1, max_size=60), st.integers(1, 25))
@settings(max_examples=200)
def test_the_bands_are_exact_at_every_step_of_any_prices(prices: list[float], period: int) -> None:
    bands = Bollinger(period)
    for number, price in enumerate(prices):
        bands.update(price)
        mean, variance = exact_bands(prices[max(0, number + 1 - period) : number + 1])
        assert bands.ready == (number + 1 >= period)
        assert bands.mean == mean
        assert math.isclose(bands.deviation, math.sqrt(variance), rel_tol=2.0**-51)
        assert abs(bands.percent_b - 0.5) <= math.sqrt(max(0, period - 1)) / 4.0 * (1 + 1e-12)


def test_percent_b_is_one_on_the_upper_band_and_half_where_the_bands_are_one() -> None:
    bands = Bollinger(2, 1.0)
    assert (bands.percent_b, bands.mean, bands.upper, bands.lower) == (0.5, 0.0, 0.0, 0.0)
    bands.update(10.0)
    assert (bands.percent_b, bands.mean, bands.upper, bands.lower, bands.ready) == (0.5, 10.0, 10.0, 10.0, False)
    bands.update(12.0)
    assert (bands.percent_b, bands.mean, bands.upper, bands.lower, bands.ready) == (1.0, 11.0, 12.0, 10.0, True)
    bands.update(8.0)
    assert (bands.percent_b, bands.mean, bands.upper, bands.lower) == (0.0, 10.0, 12.0, 8.0)


def test_the_session_average_weighs_by_quantity_and_begins_anew_at_midnight_utc() -> None:
    vwap = Vwap()
    assert (vwap.value, vwap.ready) == (0.0, False)
    midnight = 19_000 * DAY_MS
    vwap.update(midnight - 2, 10.0, 0.0)
    assert (vwap.value, vwap.ready) == (10.0, False)
    vwap.update(midnight - 2, 10.0, 3.0)
    vwap.update(midnight - 1, 20.0, 1.0)
    assert (vwap.value, vwap.ready) == (12.5, True)
    vwap.update(midnight, 40.0, 2.0)
    assert vwap.value == 40.0
    vwap.update(midnight - 1, 50.0, 2.0)
    assert vwap.value == 45.0, "a late trade of yesterday does not bring yesterday back"
    vwap.update(midnight + DAY_MS, 7.0, 0.0)
    assert (vwap.value, vwap.ready) == (7.0, False)


def test_the_session_average_of_100_000_trades_is_within_its_stated_bound() -> None:
    draw = random.Random(3)
    vwap, notional, quantity = Vwap(), Fraction(0), Fraction(0)
    for price in walk(100_000):
        size = round(draw.expovariate(1.0), 5)
        vwap.update(0, price, size)
        notional += Fraction(price) * Fraction(size)
        quantity += Fraction(size)
    assert abs(Fraction(vwap.value) / (notional / quantity) - 1) < 2 * 100_000 * Fraction(1, 2**53)


@given(st.lists(st.tuples(PRICES | st.sampled_from(EXTREMES), QUANTITIES), min_size=1, max_size=80))
def test_every_value_is_finite_and_in_its_bounds_for_any_prices_and_quantities(
    trades: list[tuple[float, float]],
) -> None:
    ema, rsi, atr, bands, vwap = Ema(5), Rsi(3), Atr(3), Bollinger(4), Vwap()
    lowest, highest = min(trades)[0], max(trades)[0]
    for number, (price, quantity) in enumerate(trades):
        other = trades[number - 1][0]
        ema.update(price)
        rsi.update(price)
        atr.update(max(price, other), min(price, other), price)
        bands.update(price)
        vwap.update(number * DAY_MS // 9, price, quantity)
        assert 0.0 <= rsi.value <= 100.0
        assert 0.0 <= atr.value <= highest * (1 + 1e-12)
        for average in (ema.value, bands.mean):
            assert lowest * (1 - 1e-12) <= average <= highest * (1 + 1e-12)
        others = (vwap.value, bands.upper, bands.lower, bands.deviation, bands.percent_b)
        assert all(math.isfinite(value) for value in others)


@pytest.mark.parametrize("price", EXTREMES)
def test_a_price_that_never_moves_has_averages_of_its_own_height_and_no_range(price: float) -> None:
    ema, rsi, atr, bands, vwap = Ema(9), Rsi(), Atr(), Bollinger(), Vwap()
    for _ in range(1_000):
        ema.update(price)
        rsi.update(price)
        atr.update(price, price, price)
        bands.update(price)
        vwap.update(0, price, 0.0)
    assert (ema.value, bands.mean, bands.upper, bands.lower, vwap.value) == (price,) * 5
    assert (rsi.value, atr.value, bands.deviation, bands.percent_b) == (50.0, 0.0, 0.0, 0.5)


def test_each_is_ready_when_its_docstring_says() -> None:
    prices = list(walk(60))
    for indicator, first in ((Ema(20), 20), (Rsi(14), 15), (Bollinger(20), 20)):
        ready = [not math.isnan(value) for value in steps_of(indicator, prices, _first_value(indicator))[0]]
        assert ready == [number >= first for number in range(1, 61)]
    ready = [not math.isnan(value) for value in steps_of(Atr(14), candles(60), "value")[0]]
    assert ready == [number >= 15 for number in range(1, 61)]


def _first_value(indicator: object) -> str:
    return "mean" if isinstance(indicator, Bollinger) else "value"


def test_equal_observations_give_equal_bits_and_these_are_they() -> None:
    ema, rsi, atr, bands, vwap = Ema(21), Rsi(), Atr(), Bollinger(), Vwap()
    for number, (high, low, close) in enumerate(candles(500)):
        ema.update(close)
        rsi.update(close)
        atr.update(high, low, close)
        bands.update(close)
        vwap.update(0, (high + low + close) / 3.0, number % 7 * 0.1)
    values = (ema.value, rsi.value, atr.value, bands.upper, bands.lower, bands.percent_b, vwap.value)
    assert [value.hex() for value in values] == BITS


#: Of this interpreter on x86-64; any other must tell the same.
BITS = [
    "0x1.80b7fdfe48225p+15",
    "0x1.56fc1037ea6a9p+5",
    "0x1.08c5aec4ec805p+6",
    "0x1.812b1113e3fd7p+15",
    "0x1.7fd18885b59c3p+15",
    "0x1.c617b1352a1a3p-2",
    "0x1.84321b5042e60p+15",
]


def test_memory_does_not_grow_with_observations() -> None:
    for indicator in (Ema(5), Rsi(), Atr(), Bollinger(), Vwap()):
        assert not hasattr(indicator, "__dict__")
    bands = Bollinger(20)
    for price in walk(10_000):
        bands.update(price)
    assert len(bands._window) == 20


def test_an_imbalance_is_between_all_offered_and_all_bid() -> None:
    assert book_imbalance(3.0, 1.0) == 0.5
    assert book_imbalance(0.0, 1.0) == -1.0
    assert book_imbalance(LARGEST, 0.0) == 1.0
    assert book_imbalance(0.0, 0.0) == 0.0


@given(QUANTITIES, QUANTITIES)
def test_an_imbalance_is_always_within_its_bounds_and_turns_with_the_book(bid: float, ask: float) -> None:
    assert -1.0 <= book_imbalance(bid, ask) <= 1.0
    assert book_imbalance(bid, ask) == -book_imbalance(ask, bid)


def test_a_spread_is_a_share_of_the_middle() -> None:
    assert relative_spread(99.0, 101.0) == 0.02
    assert relative_spread(5.0, 5.0) == 0.0
    assert relative_spread(0.0, 0.0) == 0.0


@given(PRICES, PRICES)
def test_a_spread_is_never_more_than_twice_the_middle(one: float, other: float) -> None:
    assert 0.0 <= relative_spread(min(one, other), max(one, other)) <= 2.0


@pytest.mark.parametrize("kind", [Ema, Rsi, Atr, Bollinger])
def test_a_period_below_one_is_refused(kind: type[Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        kind(0)


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf])
def test_a_width_that_makes_no_band_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Bollinger(20, width)
