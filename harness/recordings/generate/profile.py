"""What a generated recording shall be: a TOML file read into records."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from harness.config import data_files, read_toml
from harness.errors import ConfigError, UnknownName
from harness.exchange.filters import SymbolFilters

#: What the spot wire writes: eight decimals.
UNITS = 100_000_000


class SymbolProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One symbol, quoted in USDT; the order of symbols in the profile is their rank by activity."""

    symbol: str
    price: Decimal
    tick_size: Decimal
    lot_step: Decimal
    minimum_notional: Decimal
    volatility_bps: float
    """Deviation of the price over one second, in basis points."""
    touch_notional: int
    """Median value of a level near the touch, in USDT."""
    taker_notional: int
    """Median value of an order that trades, in USDT."""
    level_gap_bps: float
    """Median distance of a new level from the touch, in basis points."""
    spread_ticks: int = 1
    """How many ticks a market maker steps back at most when quoting anew."""

    @property
    def filters(self) -> SymbolFilters:
        """As the recording's header states them."""
        return SymbolFilters(tick_size=self.tick_size, lot_step=self.lot_step, minimum_notional=self.minimum_notional)

    @property
    def base(self) -> str:
        """The base asset."""
        return self.symbol.removesuffix("USDT")

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
    seed: int
    start_ms: int
    """Unix time; a whole minute, so that candles are complete from the first trade on."""
    duration_ms: int
    rank_exponent: float
    """A symbol of rank r has the weight r to the power of minus this."""
    quotes_per_second: int
    """Changes near the touch, over all symbols, in calm times."""
    takers_per_second: int
    """Orders that trade, over all symbols, in calm times."""
    raw_trade_symbols: int
    """How many symbols, from the busiest, have a `trade` stream beside `aggTrade`."""
    account_orders_per_minute: int
    symbols: tuple[SymbolProfile, ...]

    def __post_init__(self) -> None:
        if not self.symbols:
            raise ValueError("symbols: at least one is needed")
        if self.start_ms % 60_000:
            raise ValueError("start_ms: a whole minute is needed")
        if self.duration_ms <= 0 or self.quotes_per_second <= 0 or self.takers_per_second <= 0:
            raise ValueError("duration_ms, quotes_per_second and takers_per_second must be above 0")
        if not all(spec.symbol.isascii() and spec.symbol.endswith("USDT") for spec in self.symbols):
            raise ValueError("symbols: only symbols quoted in USDT can be generated")

    @property
    def weights(self) -> tuple[float, ...]:
        """Shares of activity by rank, rounded to a millionth: so no platform's `pow` shows."""
        raw = [round(1_000_000 * rank**-self.rank_exponent) for rank in range(1, len(self.symbols) + 1)]
        total = sum(raw)
        return tuple(weight / total for weight in raw)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams on the market connection."""
        names = []
        for rank, spec in enumerate(self.symbols):
            lower = spec.symbol.lower()
            kinds = ["aggTrade", "bookTicker", "depth@100ms", "kline_1m", "miniTicker"]
            if rank < self.raw_trade_symbols:
                kinds.append("trade")
            names += [f"{lower}@{kind}" for kind in kinds]
        return tuple(names)


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return [path.stem for path in data_files("recordings", "*.toml")]


def find_profile(name_or_path: str, *, seed: int | None = None) -> Profile:
    """A shipped profile by its name, or one from a TOML file, with another seed if one is given.

    Raises UnknownName with the shipped names, or ConfigError.
    """
    shipped = {path.stem: path for path in data_files("recordings", "*.toml")}
    path = shipped.get(name_or_path)
    if path is None:
        if not name_or_path.endswith(".toml"):
            raise UnknownName("recording profile", name_or_path, shipped)
        path = Path(name_or_path)
    profile = _checked(path)
    return profile if seed is None else msgspec.structs.replace(profile, seed=seed)


def _checked(path: Path) -> Profile:
    profile = read_toml(path, Profile)
    for spec in profile.symbols:
        if spec.tick_units < 1 or spec.step_units < 1 or spec.start_tick < 200:
            raise ConfigError(
                path, f"symbols.{spec.symbol}", "tick_size and lot_step are at least 0.00000001, price 200 ticks"
            )
    return profile
