"""A book whose prices and quantities stay the texts that the wire carried."""

from __future__ import annotations

from heapq import nlargest, nsmallest
from typing import TypeAlias

from harness.exchange.book import checked

TextLevel: TypeAlias = list[str]
"""Price and quantity as received."""


class TextBook:
    """Both sides by price; a quantity of 0 takes a level away."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids: dict[float, TextLevel] = {}
        self._asks: dict[float, TextLevel] = {}

    def apply(self, bids: list[TextLevel], asks: list[TextLevel]) -> None:
        """Take absolute quantities; raises ValueError for what is no level, the book being as it was."""
        new_bids, new_asks = checked(bids), checked(asks)
        for side, texts, numbers in ((self._bids, bids, new_bids), (self._asks, asks, new_asks)):
            for text, (price, quantity) in zip(texts, numbers, strict=True):
                if quantity:
                    side[price] = text
                else:
                    side.pop(price, None)

    def bids(self, limit: int) -> list[TextLevel]:
        """The best bids, highest first."""
        return [self._bids[price] for price in nlargest(limit, self._bids)]

    def asks(self, limit: int) -> list[TextLevel]:
        """The best asks, lowest first."""
        return [self._asks[price] for price in nsmallest(limit, self._asks)]
