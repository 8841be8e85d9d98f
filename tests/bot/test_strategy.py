from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING

import pytest

from harness.bot import strategy
from harness.bot.momentum import Momentum
from harness.bot.reversion import Reversion
from harness.bot.settings import BotSettings, MomentumSettings, PluggedSettings, ReversionSettings
from harness.bot.signal import Signal
from harness.config import parse_toml
from harness.errors import TickproofError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.market import SymbolState
    from tests.bot.conftest import Traded


class Contrarian:
    """What another package could bring: buys whatever falls."""

    name = "contrarian"
    features = ("trend", "below")

    def __init__(self, *, below: float) -> None:
        self._below = below

    def judge(self, state: SymbolState) -> tuple[Signal, tuple[float, ...]]:
        signal = Signal.ENTER if state.price < self._below else Signal.HOLD
        return signal, (state.trend, self._below)

    def confidence(self, signal: Signal, features: tuple[float, ...]) -> float:
        del signal, features
        return 0.5


class Nameless:
    name = "nameless"
    features: tuple[str, ...] = ()


class Offered(EntryPoint):
    """An entry point of a package that is not installed: it loads from this module."""

    def load(self) -> object:
        try:
            return globals()[self.attr]
        except KeyError:
            raise ImportError("no such thing") from None


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = EntryPoints(
        Offered(name=name, value=f"{__name__}:{what}", group=strategy.GROUP)
        for name, what in (("contrarian", "Contrarian"), ("nameless", "Nameless"), ("broken", "Absent"))
    )
    monkeypatch.setattr(strategy, "entry_points", lambda group: offered.select(group=group))


def test_the_settings_name_the_strategy() -> None:
    assert isinstance(strategy.made(MomentumSettings()), Momentum)
    assert isinstance(strategy.made(ReversionSettings()), Reversion)


def test_a_strategy_is_chosen_by_its_name_in_toml() -> None:
    settings = parse_toml('[strategy]\nname = "mean-reversion"\noversold = 20.0', BotSettings, source="bot.toml")
    assert settings.strategy == ReversionSettings(oversold=20.0)


@pytest.mark.usefixtures("plugged")
def test_a_strategy_of_another_package_trades_by_its_name(trade_on: Callable[..., Traded]) -> None:
    settings = BotSettings(strategy=PluggedSettings(plugin="contrarian", parameters={"below": 50.0}))
    frames = [
        b'{"stream":"aaa@trade","data":{"e":"trade","E":%d,"s":"AAA","t":1,"p":"%d","q":"1","m":false}}'
        % (number, price)
        for number, price in enumerate((60, 55, 49), 1)
    ]
    traded = trade_on(frames, settings=settings)
    assert [trade.entry_price > 49 for trade in traded.saved] == [True]
    [decision] = traded.decisions
    assert decision.signal is not None
    assert (decision.signal.strategy, decision.signal.confidence) == ("contrarian", 0.5)
    assert decision.signal.features == {"trend": 0.0, "below": 50.0}


@pytest.mark.usefixtures("plugged")
def test_an_unknown_strategy_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownName, match="unknown strategy 'hodl'; known: broken, contrarian, nameless"):
        strategy.made(PluggedSettings(plugin="hodl"))


@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [
        ("contrarian", {"above": 1.0}, "cannot be made"),
        ("broken", {}, "cannot be made"),
        ("nameless", {}, "must have a name and 1 to 64 named features"),
    ],
)
def test_what_is_no_strategy_is_refused(name: str, parameters: dict[str, float], why: str) -> None:
    with pytest.raises(TickproofError, match=why):
        strategy.made(PluggedSettings(plugin=name, parameters=parameters))


def test_the_numbers_of_the_signals_are_those_that_digests_hold() -> None:
    assert {signal.name: signal.value for signal in Signal} == {"HOLD": 0, "ENTER": 1, "LEAVE": 2}
