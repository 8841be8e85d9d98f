"""What a generated recording shall be: a TOML file read into records."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from harness.config import data_files, read_toml
from harness.errors import ConfigError, UnknownName
from harness.exchange.filters import SymbolFilters

#: What the spot wire writes: eight decimals.
UNITS: Final = 100_000_000
QUOTE_ASSET: Final = "USDT"
MOST_SYMBOLS: Final = 2_000
#: What a stream is called after `<symbol>@`, by market, in the order of the header.
STREAMS: Final = {
    "spot": ("aggTrade", "bookTicker", "depth@100ms", "kline_1m", "kline_1s", "miniTicker", "ticker", "trade"),
    "usdm": (
        *("aggTrade", "bookTicker", "depth@100ms", "kline_1m", "miniTicker", "ticker", "trade"),
        *("markPrice", "markPrice@1s", "forceOrder"),
    ),
}
_MINUTE_MS: Final = 60_000

PositiveInt = Annotated[int, Meta(gt=0)]
PositiveFloat = Annotated[float, Meta(gt=0, le=1_000_000)]
Symbol = Annotated[str, Meta(pattern="^[A-Z0-9]{1,20}USDT$")]


class SymbolProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One symbol, quoted in USDT; the order of symbols in the profile is their rank by activity."""

    symbol: Symbol
    price: Decimal
    tick_size: Decimal
    """As many decimals as it is written with are on the wire of USD-M: "0.10" makes 112345.60."""
    lot_step: Decimal
    minimum_notional: Decimal
    volatility_bps: PositiveFloat
    """Deviation of the price over one second, in basis points."""
    touch_notional: PositiveInt
    """Median value of a level near the touch, in USDT."""
    taker_notional: PositiveInt
    """Median value of an order that trades, in USDT."""
    level_gap_bps: PositiveFloat
    """Median distance of a new level from the touch, in basis points."""
    spread_ticks: PositiveInt = 1
    """How many ticks a market maker steps back at most when quoting anew."""

    @property
    def filters(self) -> SymbolFilters:
        """As the recording's header states them."""
        return SymbolFilters(tick_size=self.tick_size, lot_step=self.lot_step, minimum_notional=self.minimum_notional)

    @property
    def base(self) -> str:
        """The base asset."""
        return self.symbol.removesuffix(QUOTE_ASSET)

    @property
    def tick_units(self) -> int:
        """A tick in 1e-8 USDT."""
        return int(self.tick_size * UNITS)

    @property
    def step_units(self) -> int:
        """A lot step in 1e-8 of the base asset."""
        return int(self.lot_step * UNITS)

    @property
    def start_tick(self) -> int:
        """The price in ticks."""
        return int(self.price / self.tick_size)


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole generated recording; the same profile and seed give the same text."""

    name: str
    title: str
    market: Literal["spot", "usdm"] = "spot"
    seed: int
    start_ms: int
    """Unix time; a whole minute, so that candles are complete from the first trade on."""
    duration_ms: PositiveInt
    rank_exponent: Annotated[float, Meta(ge=0, le=4)]
    """A symbol of rank r has the weight r to the power of minus this."""
    quotes_per_second: PositiveFloat
    """Changes near the touch, over all symbols, in calm times."""
    takers_per_second: PositiveFloat
    """Orders that trade, over all symbols, in calm times."""
    rate: PositiveFloat = 1.0
    """Multiplies both; sizes, mix and bursts stay, but no symbol has more than ten depth events a second."""
    volatility: PositiveFloat = 1.0
    """Multiplies each symbol's."""
    account_orders_per_minute: Annotated[int, Meta(ge=0)]
    liquidations_per_minute: Annotated[int, Meta(ge=0)] = 0
    """Positions that are closed by force, over all symbols; USD-M only."""
    book_levels: Annotated[int, Meta(ge=50, le=5_000)] = 1_000
    """Levels a side at the start."""
    streams: dict[str, int | str]
    """How many symbols, from the busiest, have a stream of that kind, or "all"; of a kind not named there is none."""
    symbols: tuple[SymbolProfile, ...] = ()
    more_symbols: Annotated[int, Meta(ge=0, le=MOST_SYMBOLS)] = 0
    """Symbols with made-up names and prices, ranked after those that are listed."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.symbols) + self.more_symbols <= MOST_SYMBOLS:
            raise ValueError(f"symbols and more_symbols: 1 to {MOST_SYMBOLS:,} together")
        if len({spec.symbol for spec in self.symbols}) < len(self.symbols):
            raise ValueError("symbols: one is listed twice")
        if self.start_ms % _MINUTE_MS:
            raise ValueError("start_ms: a whole minute is needed")
        for kind, number in self.streams.items():
            if kind not in STREAMS[self.market]:
                raise ValueError(f"streams: {kind} is none of {', '.join(STREAMS[self.market])}")
            if number != "all" and not (isinstance(number, int) and number >= 0):
                raise ValueError(f'streams: {kind} is "all" or a number of symbols, not {number!r}')
        if not any(self.streams.values()):
            raise ValueError("streams: at least one is needed")

    def kinds_of(self, rank: int) -> tuple[str, ...]:
        """The kinds of streams of the symbol with that rank, from 0; in the order of the header."""
        return tuple(kind for kind in STREAMS[self.market] if self._reaches(kind, rank))

    def _reaches(self, kind: str, rank: int) -> bool:
        number = self.streams.get(kind, 0)
        return rank < number if isinstance(number, int) else True


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return [path.stem for path in data_files("recordings", "*.toml")]


def find_profile(
    name_or_path: str,
    *,
    seed: int | None = None,
    rate: float | None = None,
    more_symbols: int | None = None,
    duration_ms: int | None = None,
) -> Profile:
    """A shipped profile by its name, or one from a TOML file; what is given replaces what stands there.

    Raises UnknownName with the shipped names, or ConfigError.
    """
    shipped = {path.stem: path for path in data_files("recordings", "*.toml")}
    path = shipped.get(name_or_path)
    if path is None:
        if not name_or_path.endswith(".toml"):
            raise UnknownName("recording profile", name_or_path, shipped)
        path = Path(name_or_path)
    profile = _checked(path)
    given = {"seed": seed, "rate": rate, "more_symbols": more_symbols, "duration_ms": duration_ms}
    changes = {key: value for key, value in given.items() if value is not None}
    try:
        return msgspec.convert({**msgspec.to_builtins(profile), **changes}, Profile)
    except msgspec.ValidationError as error:
        raise ConfigError(path, ", ".join(changes), str(error)) from error


def _checked(path: Path) -> Profile:
    profile = read_toml(path, Profile)
    for spec in profile.symbols:
        if spec.tick_units < 1 or spec.step_units < 1 or spec.start_tick < 200:
            raise ConfigError(
                path, f"symbols.{spec.symbol}", "tick_size and lot_step are at least 0.00000001, price 200 ticks"
            )
    return profile
