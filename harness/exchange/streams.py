"""Names of Binance market streams, taken apart and put together (spot and USD-M, state of 2026)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "aggTrade",
    "trade",
    "blockTrade",
    "bookTicker",
    "kline",
    "continuousKline",
    "depth",
    "partialDepth",
    "rpiDepth",
    "miniTicker",
    "ticker",
    "avgPrice",
    "referencePrice",
    "markPrice",
    "forceOrder",
    "compositeIndex",
    "assetIndex",
    "other",
]

#: What may follow `<symbol>@`, and which group of it is the option. Anything else is "other".
_FORMS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("bookTicker", re.compile(r"bookTicker()")),
    ("aggTrade", re.compile(r"aggTrade()")),
    ("trade", re.compile(r"trade()")),
    ("depth", re.compile(r"depth(?:@(\d+ms))?")),
    ("partialDepth", re.compile(r"depth(\d+(?:@\d+ms)?)")),
    ("kline", re.compile(r"kline_(\w+(?:@\+08:00)?)")),
    ("miniTicker", re.compile(r"miniTicker()")),
    ("ticker", re.compile(r"ticker(?:_(\w+))?")),
    ("markPrice", re.compile(r"markPrice(?:@(1s))?")),
    ("continuousKline", re.compile(r"continuousKline_(\w+)")),
    ("rpiDepth", re.compile(r"rpiDepth(?:@(\d+ms))?")),
    ("forceOrder", re.compile(r"forceOrder()")),
    ("avgPrice", re.compile(r"avgPrice()")),
    ("referencePrice", re.compile(r"referencePrice()")),
    ("blockTrade", re.compile(r"blockTrade()")),
    ("compositeIndex", re.compile(r"compositeIndex()")),
    ("assetIndex", re.compile(r"assetIndex()")),
)
#: Streams of no one symbol (BINANCE.md, sections 5 and 6).
_OF_ALL: Final = re.compile(
    r"!(?:bookTicker|contractInfo|(?:miniTicker|ticker|ticker_(?:1h|4h|1d)|forceOrder|assetIndex)@arr"
    r"|markPrice@arr(?:@1s)?)|tradingSession"
)
#: What stands between kind and option in the name.
_JOINTS: Final[dict[Kind, tuple[str, str]]] = {
    "depth": ("depth", "@"),
    "partialDepth": ("depth", ""),
    "kline": ("kline", "_"),
    "ticker": ("ticker", "_"),
    "markPrice": ("markPrice", "@"),
    "continuousKline": ("continuousKline", "_"),
    "rpiDepth": ("rpiDepth", "@"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One market stream: `symbol` in upper case ("" for all-market streams), `kind`, and what qualifies the kind.

    The option is the interval of a kline, the speed of a depth stream ("100ms"), levels and speed of a partial one
    ("20@100ms"), the window of a ticker; for kind "other" it is the rest of the name as it stands. Of that kind are the
    streams of all symbols, and those that Binance has not.
    """

    symbol: str
    kind: Kind
    option: str = ""

    @property
    def name(self) -> str:
        """The name as it stands in a subscription, its symbol in lower case."""
        if not self.symbol:
            return self.option
        return f"{self.symbol.lower()}@{self._tail()}"

    @property
    def is_known(self) -> bool:
        """Whether Binance has such streams."""
        return self.kind != "other" or (not self.symbol and _OF_ALL.fullmatch(self.option) is not None)

    @property
    def label(self) -> str:
        """What it is counted under: its kind, or the name without a symbol."""
        return self.option if self.kind == "other" else self.kind

    def _tail(self) -> str:
        if self.kind == "other":
            return self.option
        word, joint = _JOINTS.get(self.kind, (self.kind, ""))
        return f"{word}{joint}{self.option}" if self.option else word


def parse(name: str) -> Stream:
    """The stream that a name means; names of no known form are of kind "other". Never raises.

    For a name whose symbol is in lower case, as the exchange asks for, `parse(name).name == name`.
    """
    symbol, at, tail = name.partition("@")
    if not at or not symbol or symbol.startswith("!"):
        return Stream(symbol="", kind="other", option=name)
    for kind, form in _FORMS:
        match = form.fullmatch(tail)
        if match:
            return Stream(symbol=symbol.upper(), kind=kind, option=match[1] or "")
    return Stream(symbol=symbol.upper(), kind="other", option=tail)
