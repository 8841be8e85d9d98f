"""What a strategy is, and the one that the settings name: ours, or another package's by its entry point."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from harness.bot.momentum import Momentum
from harness.bot.reversion import Reversion
from harness.bot.settings import MomentumSettings, ReversionSettings
from harness.errors import TickproofError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.market import SymbolState
    from harness.bot.settings import StrategySettings
    from harness.bot.signal import Signal

#: Entry points of this group are called with the settings' `parameters` as keywords, and return a Strategy.
GROUP = "tickproof.strategies"
_MOST_FEATURES = 64


class Strategy(Protocol):
    """Judges a symbol by its state alone: no clock, no I/O, no chance; equal states give equal signals."""

    @property
    def name(self) -> str:
        """Stored with every signal and trade."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the feature vector, in its order; at most 64."""
        ...

    def judge(self, state: SymbolState) -> tuple[Signal, tuple[float, ...]]:
        """The signal of this moment and the feature vector that it rests on; all finite."""
        ...

    def confidence(self, signal: Signal, features: tuple[float, ...]) -> float:
        """How sure a signal other than HOLD is, 0 to 1; asked only when it is acted upon."""
        ...


def made(settings: StrategySettings) -> Strategy:
    """The strategy that the settings name.

    Raises UnknownName for a plug-in that no installed package offers, TickproofError for one that is no strategy or
    refuses its parameters.
    """
    if isinstance(settings, MomentumSettings):
        return Momentum(settings)
    if isinstance(settings, ReversionSettings):
        return Reversion(settings)
    return _plugged(settings.plugin, settings.parameters)


def _plugged(name: str, parameters: dict[str, Any]) -> Strategy:
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in offered:
        raise UnknownName("strategy", name, offered)
    try:
        strategy = cast("Callable[..., Strategy]", offered[name].load())(**parameters)
        described: tuple[object, ...] = (strategy.name, *strategy.features)
    except (ImportError, TypeError, ValueError, AttributeError) as error:
        raise TickproofError(f"strategy {name!r} ({offered[name].value}) cannot be made: {error}") from error
    if not all(isinstance(each, str) for each in described) or not 1 < len(described) <= 1 + _MOST_FEATURES:
        raise TickproofError(f"strategy {name!r} ({offered[name].value}) must have a name and 1 to 64 named features")
    return strategy
