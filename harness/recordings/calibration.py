"""How far a recording is like measured traffic: each of its figures against the range that public recordings had.

The ranges come from public recordings of 2021 to 2025 (docs/recordings.md names them): four of USD-M, six of spot, each
of 7 to 340 seconds and 1 to 10 symbols. Where they were few or depend on the choice of symbols, the range is wider
than what was measured; the measured one stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recordings.records import Market
    from harness.recordings.statistics import Description
    from harness.recordings.statistics.kinds import KindStatistics
    from harness.recordings.statistics.trades import TradeStatistics

#: The three whose mix is compared; other kinds depend on what was subscribed to.
_MIX: Final = ("depth", "bookTicker", "aggTrade")
_UNBOUNDED: Final = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a figure of a market may be, both ends included."""

    figure: str
    market: Market
    low: float
    high: float
    measured: str
    """What the recordings had, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A figure of a recording against its range."""

    figure: str
    value: float
    low: float
    high: float
    measured: str

    @property
    def ok(self) -> bool:
        """Whether the value lies in the range."""
        return self.low <= self.value <= self.high


def check(description: Description) -> tuple[Finding, ...]:
    """Each figure that the recording has against the range of its market; figures that it has not are left out."""
    found = []
    for reference in RANGES:
        value = FIGURES[reference.figure](description)
        if reference.market == description.market and value is not None:
            found.append(
                Finding(
                    figure=reference.figure,
                    value=value,
                    low=reference.low,
                    high=reference.high,
                    measured=reference.measured,
                )
            )
    return tuple(found)


def _kind(found: Description, name: str) -> KindStatistics | None:
    return next((kind for kind in found.kinds if kind.kind == name), None)


def _share(name: str) -> Callable[[Description], float | None]:
    """Of the three kinds of the mix; None unless all three are there."""

    def share(found: Description) -> float | None:
        counts = {kind.kind: kind.count for kind in found.kinds if kind.kind in _MIX}
        return counts[name] / sum(counts.values()) if len(counts) == len(_MIX) else None

    return share


def _bytes(name: str) -> Callable[[Description], float | None]:
    def median(found: Description) -> float | None:
        kind = _kind(found, name)
        return kind.bytes_median if kind else None

    return median


def _aggregates(figure: Callable[[TradeStatistics], float | None]) -> Callable[[Description], float | None]:
    def of(found: Description) -> float | None:
        trades = next((one for one in found.trades if one.kind == "aggTrade"), None)
        return figure(trades) if trades else None

    return of


def _gap_ratio(trades: TradeStatistics) -> float | None:
    gaps = trades.instant_gaps_ms
    return gaps.p99 / gaps.p50 if gaps and gaps.p50 else None


def _quantity_only(found: Description) -> float | None:
    tickers = found.book_tickers
    if tickers is None or tickers.bid_quantity_only is None or tickers.ask_quantity_only is None:
        return None
    return tickers.bid_quantity_only + tickers.ask_quantity_only


#: What is looked at, by name; None where a recording has it not.
FIGURES: Final[dict[str, Callable[[Description], float | None]]] = {
    "mix: depth": _share("depth"),
    "mix: bookTicker": _share("bookTicker"),
    "mix: aggTrade": _share("aggTrade"),
    "bytes: bookTicker, median": _bytes("bookTicker"),
    "bytes: aggTrade, median": _bytes("aggTrade"),
    "bytes: kline, median": _bytes("kline"),
    "gaps: share below 1 ms": lambda found: found.arrivals.gaps_below_1_ms if found.arrivals else None,
    "gaps: variation": lambda found: found.arrivals.gaps_variation if found.arrivals else None,
    "bursts: Fano of 1 s": lambda found: found.arrivals.in_1_s.fano if found.arrivals else None,
    "bursts: Fano of 100 ms": lambda found: found.arrivals.in_100_ms.fano if found.arrivals else None,
    "bursts: worst second to mean, E": lambda found: (
        found.event_times.worst_second_to_mean if found.event_times else None
    ),
    "bursts: worst 100 ms to mean, E": lambda found: (
        found.event_times.worst_100_ms_to_mean if found.event_times else None
    ),
    "symbols: top share": lambda found: found.symbols.top_share if found.symbols else None,
    "symbols: rank exponent": lambda found: found.symbols.rank_exponent if found.symbols else None,
    "depth: ln levels, mean": lambda found: found.depth.log_levels_mean if found.depth else None,
    "depth: ln levels, deviation": lambda found: found.depth.log_levels_deviation if found.depth else None,
    "depth: deletions": lambda found: found.depth.deletions if found.depth else None,
    "depth: bytes without levels": lambda found: found.depth.bytes_base if found.depth else None,
    "depth: bytes a level": lambda found: found.depth.bytes_per_level if found.depth else None,
    "depth: E spacing p50 ms": lambda found: (
        found.depth.event_spacing_ms.p50 if found.depth and found.depth.event_spacing_ms else None
    ),
    "depth: E spacing p90 ms": lambda found: (
        found.depth.event_spacing_ms.p90 if found.depth and found.depth.event_spacing_ms else None
    ),
    "depth: most at one E": lambda found: found.depth.most_at_one_time if found.depth else None,
    "depth: update ids p50": lambda found: found.depth.update_ids.p50 if found.depth else None,
    "depth: sequence gaps": lambda found: found.depth.sequence_gaps if found.depth else None,
    "aggTrade: events an instant": _aggregates(lambda trades: trades.events_per_instant.mean),
    "aggTrade: most at one instant": _aggregates(lambda trades: trades.events_per_instant.max),
    "aggTrade: gap of instants, p99 to p50": _aggregates(_gap_ratio),
    "aggTrade: same side": _aggregates(lambda trades: trades.same_side),
    "aggTrade: same price": _aggregates(lambda trades: trades.same_price),
    "aggTrade: raw trades": _aggregates(lambda trades: trades.raw_trades.mean if trades.raw_trades else None),
    "aggTrade: E - T p50 ms": _aggregates(
        lambda trades: trades.event_minus_trade_ms.p50 if trades.event_minus_trade_ms else None
    ),
    "bookTicker: bid price changes": lambda found: found.book_tickers.bid_price if found.book_tickers else None,
    "bookTicker: ask price changes": lambda found: found.book_tickers.ask_price if found.book_tickers else None,
    "bookTicker: quantity only": _quantity_only,
}

_SPOT: Final[tuple[tuple[str, float, float, str], ...]] = (
    ("mix: depth", 0.33, 0.70, "41-67 % of the three"),
    ("mix: bookTicker", 0.30, 0.55, "32-48 % of the three"),
    ("mix: aggTrade", 0.005, 0.20, "1-11 % of the three, 42 % of two with BTC, ETH and DOT"),
    ("bytes: bookTicker, median", 133, 150, "139-143; each symbol's letter counts twice"),
    ("bytes: aggTrade, median", 181, 205, "190-201"),
    ("bytes: kline, median", 321, 370, "321-362"),
    ("gaps: share below 1 ms", 0.09, 0.60, "9-52 %, the more the busier"),
    ("gaps: variation", 1.3, 2.7, "1.35-2.2"),
    ("bursts: Fano of 1 s", 2.5, 110, "2.6-17.5; grows with the rate: 107 in a hot USD-M recording"),
    ("bursts: Fano of 100 ms", 1.3, 26, "1.3-12.3; grows with the rate: 25.6 in a hot USD-M recording"),
    ("bursts: worst second to mean, E", 1.5, 4.3, "1.5-3.4 (COIN-M 4.3)"),
    ("bursts: worst 100 ms to mean, E", 3.7, 11, "3.7-8.3 (COIN-M 11)"),
    ("symbols: top share", 0.16, 0.52, "16-52 %"),
    ("symbols: rank exponent", 0.43, 1.8, "0.62, 1.28, 1.80; COIN-M 0.59"),
    ("depth: ln levels, mean", 0.6, 2.2, "0.84 (minor symbols) to 1.98 (BTC, ETH, DOT)"),
    ("depth: ln levels, deviation", 0.65, 1.05, "0.79-0.99"),
    ("depth: deletions", 0.24, 0.40, "32-40 %, all markets 24-40 %"),
    ("depth: bytes without levels", 125, 140, "130-135"),
    ("depth: bytes a level", 28, 33.5, "29.6-32.0"),
    ("depth: E spacing p50 ms", 99, 101, "100"),
    ("depth: E spacing p90 ms", 99, 800, "100-500, minor symbols to 780"),
    ("depth: most at one E", 3, _UNBOUNDED, "8 of 10 symbols, 3 of 3"),
    ("depth: update ids p50", 1, 10, "1-9"),
    ("depth: sequence gaps", 0, 0, "0"),
    ("aggTrade: events an instant", 1.1, 1.5, "1.19-1.32"),
    ("aggTrade: most at one instant", 5, 40, "13, 25"),
    ("aggTrade: gap of instants, p99 to p50", 20, 90, "28, 58; symbols of unlike rates make it larger"),
    ("aggTrade: same side", 0.60, 0.80, "0.63, 0.70; all markets 0.63-0.79"),
    ("aggTrade: same price", 0.10, 0.60, "0.29, 0.39; all markets 0.10-0.59"),
    ("aggTrade: raw trades", 1.05, 1.4, "1.12, 1.18"),
    ("aggTrade: E - T p50 ms", 0, 3, "1"),
    ("bookTicker: bid price changes", 0.28, 0.45, "33 %, all markets 33-43 %"),
    ("bookTicker: ask price changes", 0.26, 0.40, "28 %, all markets 28-34 %"),
    ("bookTicker: quantity only", 0.25, 0.42, "40 %, all markets 27-40 %"),
)

#: Bytes reach from the shapes of 2021 to those of 2026, which bear `ps` and `st` besides.
_USDM: Final[tuple[tuple[str, float, float, str], ...]] = (
    ("mix: depth", 0.30, 0.56, "32-53 % of the three"),
    ("mix: bookTicker", 0.38, 0.65, "41-62 % of the three"),
    ("mix: aggTrade", 0.03, 0.15, "6-7 % of the three"),
    ("bytes: bookTicker, median", 169, 206, "173-176; in 2026 194-203"),
    ("bytes: aggTrade, median", 170, 212, "176-178; in 2026 about 204"),
    ("bytes: kline, median", 296, 330, "310-312"),
    ("gaps: share below 1 ms", 0.20, 0.60, "21-58 %, the more the busier"),
    ("gaps: variation", 1.4, 2.7, "1.48-2.60"),
    ("bursts: Fano of 1 s", 7, 110, "7.5-18.8, hot 107"),
    ("bursts: Fano of 100 ms", 4, 26, "4.1-11.2, hot 25.6"),
    ("bursts: worst second to mean, E", 1.5, 4.3, "2.0-3.4 (COIN-M 4.3)"),
    ("bursts: worst 100 ms to mean, E", 3.7, 11, "5.4-8.3 (COIN-M 11)"),
    ("symbols: top share", 0.16, 0.52, "29-41 %"),
    ("symbols: rank exponent", 0.43, 1.8, "0.43; COIN-M 0.59, spot to 1.80"),
    ("depth: ln levels, mean", 1.6, 2.5, "1.87, 2.35; 4.41 for one hot symbol unthrottled"),
    ("depth: ln levels, deviation", 0.65, 1.05, "0.67-0.82"),
    ("depth: deletions", 0.24, 0.40, "24-40 %"),
    ("depth: bytes without levels", 168, 205, "173-174; in 2026 20 to 26 more"),
    ("depth: bytes a level", 17, 22, "18.2-21.0"),
    ("depth: E spacing p50 ms", 105, 120, "109, 115"),
    ("depth: E spacing p90 ms", 138, 192, "144, 186"),
    ("depth: most at one E", 3, _UNBOUNDED, "3 of 5 symbols, 3 of 4"),
    ("depth: update ids p50", 1_500, 2_800, "1,700-2,670"),
    ("depth: sequence gaps", 0, 0, "0"),
    ("aggTrade: events an instant", 1.1, 1.5, "1.36, 1.38"),
    ("aggTrade: most at one instant", 5, 40, "9, 13"),
    ("aggTrade: gap of instants, p99 to p50", 8, 60, "9, 12, hot 27; symbols of unlike rates make it larger"),
    ("aggTrade: same side", 0.60, 0.80, "0.67-0.79"),
    ("aggTrade: same price", 0.09, 0.60, "0.10-0.59"),
    ("aggTrade: raw trades", 1.05, 1.5, "1.30, 1.31"),
    ("aggTrade: E - T p50 ms", 50, 200, "154"),
    ("bookTicker: bid price changes", 0.28, 0.45, "33, 43 %"),
    ("bookTicker: ask price changes", 0.26, 0.40, "30, 34 %"),
    ("bookTicker: quantity only", 0.25, 0.42, "27, 33 %"),
)


def _ranges(market: Market, rows: tuple[tuple[str, float, float, str], ...]) -> tuple[Range, ...]:
    return tuple(
        Range(figure=figure, market=market, low=low, high=high, measured=measured)
        for figure, low, high, measured in rows
    )


#: All that is held against measured traffic.
RANGES: Final = (*_ranges("spot", _SPOT), *_ranges("usdm", _USDM))
