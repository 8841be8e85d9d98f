"""Book tickers: what changes from one to the next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.recordings.statistics.arrivals import rate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.statistics.events import BookTickerEvent, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTickerStatistics:
    """`bookTicker` events against the one before of their symbol.

    The first that differs counts: bid price, ask price, bid quantity, ask quantity. The five shares are 1 in sum.
    """

    events: int
    compared: int
    """Events with one before."""
    bid_price: float | None
    ask_price: float | None
    bid_quantity_only: float | None
    ask_quantity_only: float | None
    nothing: float | None
    per_second_by_symbol: dict[str, float]
    """The busiest first."""


def book_tickers(events: Iterable[tuple[Seen, BookTickerEvent]], span_ns: int) -> BookTickerStatistics | None:
    """The figures of book tickers in their order; None for none."""
    before: dict[str, BookTickerEvent] = {}
    counts: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    for seen, event in events:
        symbol = seen.place.symbol
        counts[symbol] += 1
        if last := before.get(symbol):
            changes[_change(last, event)] += 1
        before[symbol] = event
    if not counts:
        return None
    compared = changes.total()

    def share(name: str) -> float | None:
        return changes[name] / compared if compared else None

    return BookTickerStatistics(
        events=counts.total(),
        compared=compared,
        bid_price=share("b"),
        ask_price=share("a"),
        bid_quantity_only=share("B"),
        ask_quantity_only=share("A"),
        nothing=share(""),
        per_second_by_symbol={symbol: rate(count, span_ns) for symbol, count in counts.most_common()},
    )


def _change(before: BookTickerEvent, after: BookTickerEvent) -> str:
    if before.b != after.b:
        return "b"
    if before.a != after.a:
        return "a"
    if before.B != after.B:
        return "B"
    return "A" if before.A != after.A else ""
