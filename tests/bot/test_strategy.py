from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.market import SymbolState
from harness.bot.settings import StrategySettings
from harness.bot.strategy import Features, MomentumStrategy, Signal

STRATEGY = MomentumStrategy(StrategySettings(warm_up=10, entry=1.5, exit=0.5, flow=0.1))


def state_of(
    *, observations: int = 10, fast: float = 100.0, slow: float = 100.0, volatility: float = 0.01
) -> SymbolState:
    state = SymbolState("AAA")
    state.observations, state.fast, state.slow, state.volatility = observations, fast, slow, volatility
    return state


def features_of(momentum: float, flow: float = 0.1) -> Features:
    return Features(momentum, 0.0, flow, 0.0, 0.0)


def test_momentum_is_the_drift_in_mean_moves() -> None:
    state = state_of(fast=102.0, slow=100.0, volatility=0.01)
    state.imbalance, state.flow, state.spread, state.trend = 0.1, 0.2, 0.3, 0.4
    assert STRATEGY.features(state) == Features((102.0 / 100.0 - 1.0) / 0.01, 0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(("slow", "volatility"), [(0.0, 0.01), (100.0, 0.0), (0.0, 0.0)])
def test_without_a_price_or_a_move_there_is_no_momentum(slow: float, volatility: float) -> None:
    assert STRATEGY.features(state_of(slow=slow, volatility=volatility)).momentum == 0.0


@pytest.mark.parametrize(
    ("momentum", "flow", "observations", "signal"),
    [
        (1.51, 0.1, 10, Signal.ENTER),
        (1.5, 0.1, 10, Signal.HOLD),
        (1.51, 0.09, 10, Signal.HOLD),
        (1.51, 0.1, 9, Signal.HOLD),
        (-0.51, 0.0, 10, Signal.LEAVE),
        (-0.5, 0.0, 10, Signal.HOLD),
        (-0.51, 0.0, 9, Signal.HOLD),
        (0.0, 0.0, 10, Signal.HOLD),
    ],
)
def test_signals_by_their_thresholds(momentum: float, flow: float, observations: int, signal: Signal) -> None:
    assert STRATEGY.signal(state_of(observations=observations), features_of(momentum, flow)) is signal


@given(momentum=st.floats(allow_nan=False), flow=st.floats(-1, 1), observations=st.integers(0, 100))
def test_a_signal_follows_from_its_features_alone(momentum: float, flow: float, observations: int) -> None:
    signal = STRATEGY.signal(state_of(observations=observations), features_of(momentum, flow))
    if signal is Signal.ENTER:
        assert momentum > 1.5
        assert flow >= 0.1
    if signal is Signal.LEAVE:
        assert momentum < -0.5
    assert signal is Signal.HOLD or observations >= 10


@given(fast=st.floats(1e-12, 1e18), slow=st.floats(1e-12, 1e18), volatility=st.just(0.0) | st.floats(1e-17, 1e30))
def test_features_are_finite(fast: float, slow: float, volatility: float) -> None:
    assert all(
        math.isfinite(value) for value in STRATEGY.features(state_of(fast=fast, slow=slow, volatility=volatility))
    )


def test_the_numbers_of_the_signals_are_those_that_digests_hold() -> None:
    assert {signal.name: signal.value for signal in Signal} == {"HOLD": 0, "ENTER": 1, "LEAVE": 2}
