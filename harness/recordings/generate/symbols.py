"""The symbols of a profile: those it lists, then as many as it asks for with made-up names and prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from harness.recordings.generate.dice import Dice, power_of
from harness.recordings.generate.profile import QUOTE_ASSET, Profile, SymbolProfile

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So that a change of the made-up symbols moves no other draw.
_SEED: Final = 0x53AB
#: Prices have four or five digits in ticks, as most of the exchange's have.
_FEWEST_TICKS: Final = 1_000
_MOST_TICKS: Final = 100_000
#: The floor of activity: one quote in fifty seconds, for pairs that are all but dead.
_QUIETEST_PER_SECOND: Final = 0.02


def symbols_of(profile: Profile) -> tuple[SymbolProfile, ...]:
    """All symbols, the busiest first; the same profile gives the same."""
    return (*profile.symbols, *_made_up(profile))


def shares_of(profile: Profile) -> tuple[float, ...]:
    """Each symbol's share of the activity, by rank; together 1."""
    total = len(profile.symbols) + profile.more_symbols
    weights = [power_of(rank, -profile.rank_exponent) for rank in range(1, total + 1)]
    whole = 0.0
    for weight in weights:  # not sum(): its rounding changed with Python 3.12
        whole += weight
    return tuple(weight / whole for weight in weights)


def per_second(share: float, overall: float) -> float:
    """A symbol's part of a rate, with a floor."""
    return max(share * overall, _QUIETEST_PER_SECOND)


def streams_of(profile: Profile) -> tuple[str, ...]:
    """Names of the streams on the market connection."""
    return tuple(
        f"{spec.symbol.lower()}@{kind}"
        for rank, spec in enumerate(symbols_of(profile))
        for kind in profile.kinds_of(rank)
    )


def _made_up(profile: Profile) -> Iterator[SymbolProfile]:
    dice = Dice(profile.seed ^ _SEED)
    listed = {spec.symbol for spec in profile.symbols}
    made = number = 0
    while made < profile.more_symbols:
        number += 1
        name = f"T{number:03d}{QUOTE_ASSET}"
        if name not in listed:
            made += 1
            yield _symbol(name, dice)


def _symbol(name: str, dice: Dice) -> SymbolProfile:
    """Ticks of 0.01 to 0.00000001 USDT, lots worth at most about a dollar."""
    decimals = 2 + dice.below(7)
    ticks = min(_MOST_TICKS, _FEWEST_TICKS + dice.spread(6_000, 1.0))
    price = Decimal(ticks).scaleb(-decimals)
    lot_decimals = max(0, min(5, price.adjusted() + 1))
    return SymbolProfile(
        symbol=name,
        price=price,
        tick_size=Decimal(1).scaleb(-decimals),
        lot_step=Decimal(1).scaleb(-lot_decimals),
        minimum_notional=Decimal(5),
        volatility_bps=(100 + dice.below(150)) / 100,
        touch_notional=400 + dice.spread(1_500, 0.7),
        taker_notional=60 + dice.spread(220, 0.5),
        level_gap_bps=(60 + dice.below(160)) / 100,
        spread_ticks=1 + dice.below(3),
    )
