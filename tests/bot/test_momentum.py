from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.market import SymbolState
from harness.bot.momentum import Momentum
from harness.bot.settings import MomentumSettings
from harness.bot.signal import Signal

STRATEGY = Momentum(MomentumSettings(warm_up=10, entry=1.5, exit=0.5, flow=0.1))


def state_of(
    *, observations: int = 10, fast: float = 100.0, slow: float = 100.0, volatility: float = 0.01
) -> SymbolState:
    state = SymbolState("AAA")
    state.observations, state.fast, state.slow, state.volatility = observations, fast, slow, volatility
    return state


def with_momentum(momentum: float, flow: float = 0.1, observations: int = 10) -> SymbolState:
    """A state of exactly this momentum, with a volatility that makes it so."""
    drift = 2.0**-10 if momentum > 0 else -(2.0**-10)
    state = state_of(
        observations=observations, fast=1.0 + drift, slow=1.0, volatility=drift / momentum if momentum else 0.0
    )
    state.flow = flow
    return state


def named(state: SymbolState) -> dict[str, float]:
    return dict(zip(STRATEGY.features, STRATEGY.judge(state)[1], strict=True))


def test_momentum_is_the_drift_in_mean_moves_and_the_rest_is_the_state_s() -> None:
    state = state_of(fast=102.0, slow=100.0, volatility=0.01)
    state.imbalance, state.flow, state.spread, state.trend, state.rsi, state.atr = 0.1, 0.2, 0.3, 0.4, 60.0, 0.05
    state.price = 101.0
    state.today.update(0, 100.0, 1.0)
    assert named(state) == {
        "momentum": (102.0 / 100.0 - 1.0) / 0.01,
        "imbalance": 0.1,
        "flow": 0.2,
        "spread": 0.3,
        "trend": 0.4,
        "rsi": 60.0,
        "atr": 0.05,
        "vwap_gap": 101.0 / 100.0 - 1.0,
    }


@pytest.mark.parametrize(("slow", "volatility"), [(0.0, 0.01), (100.0, 0.0), (0.0, 0.0)])
def test_without_a_price_or_a_move_there_is_no_momentum(slow: float, volatility: float) -> None:
    assert named(state_of(slow=slow, volatility=volatility))["momentum"] == 0.0


def test_without_a_trade_there_is_no_gap() -> None:
    assert named(state_of())["vwap_gap"] == 0.0


@pytest.mark.parametrize(
    ("momentum", "flow", "observations", "signal"),
    [
        (1.5625, 0.1, 10, Signal.ENTER),
        (1.5, 0.1, 10, Signal.HOLD),
        (1.5625, 0.09, 10, Signal.HOLD),
        (1.5625, 0.1, 9, Signal.HOLD),
        (-0.5625, 0.0, 10, Signal.LEAVE),
        (-0.5, 0.0, 10, Signal.HOLD),
        (-0.5625, 0.0, 9, Signal.HOLD),
        (0.0, 0.0, 10, Signal.HOLD),
    ],
)
def test_signals_by_their_thresholds(momentum: float, flow: float, observations: int, signal: Signal) -> None:
    assert STRATEGY.judge(with_momentum(momentum, flow, observations))[0] is signal


@given(momentum=st.floats(-1e6, 1e6), flow=st.floats(-1, 1), observations=st.integers(0, 100))
def test_a_signal_follows_from_its_features_alone(momentum: float, flow: float, observations: int) -> None:
    state = with_momentum(momentum, flow, observations)
    signal, features = STRATEGY.judge(state)
    if signal is Signal.ENTER:
        assert features[0] > 1.5
        assert flow >= 0.1
    if signal is Signal.LEAVE:
        assert features[0] < -0.5
    assert signal is Signal.HOLD or observations >= 10


@given(momentum=st.floats(-1e300, 1e300))
def test_a_confidence_is_a_share_and_grows_beyond_the_threshold(momentum: float) -> None:
    features = (momentum,)
    for signal in (Signal.ENTER, Signal.LEAVE):
        assert 0.0 <= STRATEGY.confidence(signal, features) <= 1.0
    assert STRATEGY.confidence(Signal.ENTER, (1.5,)) == 0.0
    assert STRATEGY.confidence(Signal.ENTER, (3.0,)) == 0.5
    assert STRATEGY.confidence(Signal.LEAVE, (-2.0,)) == 0.75


@given(fast=st.floats(1e-12, 1e18), slow=st.floats(1e-12, 1e18), volatility=st.just(0.0) | st.floats(1e-17, 1e30))
def test_features_are_finite(fast: float, slow: float, volatility: float) -> None:
    assert all(
        math.isfinite(value) for value in STRATEGY.judge(state_of(fast=fast, slow=slow, volatility=volatility))[1]
    )
