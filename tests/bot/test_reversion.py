from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.market import SymbolState
from harness.bot.reversion import Reversion
from harness.bot.settings import ReversionSettings
from harness.bot.signal import Signal

STRATEGY = Reversion(ReversionSettings(oversold=30.0, entry=0.0, exit=0.5))
PRICES = st.floats(1e-12, 1e18)


def state_of(price: float, *, rsi: float = 25.0, low: float = 90.0, high: float = 110.0) -> SymbolState:
    state = SymbolState("AAA")
    state.price, state.rsi, state.band_low, state.band_high = price, rsi, low, high
    return state


@pytest.mark.parametrize(
    ("price", "rsi", "signal"),
    [
        (89.0, 29.9, Signal.ENTER),
        (90.0, 29.9, Signal.HOLD),  # on the band is not below it
        (89.0, 30.0, Signal.HOLD),
        (100.0, 10.0, Signal.HOLD),
        (100.1, 10.0, Signal.LEAVE),
        (100.1, 90.0, Signal.LEAVE),
    ],
)
def test_it_buys_below_the_bands_and_sells_in_the_middle(price: float, rsi: float, signal: Signal) -> None:
    assert STRATEGY.judge(state_of(price, rsi=rsi))[0] is signal


def test_without_bands_it_waits() -> None:
    assert STRATEGY.judge(state_of(50.0, low=0.0, high=0.0))[0] is Signal.HOLD


@given(price=PRICES, low=PRICES, width=st.floats(0.0, 1e18))
def test_features_are_finite_and_a_confidence_is_a_share(price: float, low: float, width: float) -> None:
    signal, features = STRATEGY.judge(state_of(price, low=low, high=low + width))
    assert len(features) == len(STRATEGY.features)
    assert all(math.isfinite(value) for value in features)
    assert 0.0 <= STRATEGY.confidence(signal, features) <= 1.0


def test_confidence_is_the_distance_beyond_the_threshold() -> None:
    assert STRATEGY.confidence(Signal.ENTER, (-0.25,)) == 0.25
    assert STRATEGY.confidence(Signal.LEAVE, (0.75,)) == 0.25
    assert STRATEGY.confidence(Signal.ENTER, (-7.0,)) == 1.0
