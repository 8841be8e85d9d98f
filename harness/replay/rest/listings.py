"""What a recording tells of each symbol it holds: its assets, and how finely it is priced."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from harness.exchange import streams
from harness.exchange.filters import SymbolFilters
from harness.replay.rest.books import recorded_books

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.exchange.streams import Kind
    from harness.recordings.format import Frame, Header, Market
    from harness.replay.rest.index import TapeIndex

#: Assets that symbols are quoted in; the longest that a symbol ends with is taken (BTCTUSD: TUSD, not USD).
QUOTES: Final = (
    *("FDUSD", "RLUSD", "BFUSD"),
    *("USDT", "USDC", "BUSD", "TUSD", "USDP", "USD1", "USDE", "XUSD", "DOGE", "EURI", "AEUR"),
    *("IDRT", "BIDR", "BKRW", "BVND"),
    *("USD", "BTC", "ETH", "BNB", "SOL", "XRP", "TRX", "DOT", "PAX", "DAI", "VAI"),
    *("EUR", "TRY", "BRL", "AUD", "GBP", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP"),
    "IDR",
)
#: All-market streams have no symbol, and these name a pair with a contract type, or an asset.
_NO_SYMBOL: Final[frozenset[Kind]] = frozenset({"other", "continuousKline", "assetIndex"})
#: Frames of a symbol that are looked at for decimals, of each of the kinds that show them.
_SAMPLED: Final = 32
_SHOWING: Final[tuple[Kind, ...]] = ("bookTicker", "trade", "aggTrade", "depth", "partialDepth", "kline")
_NUMBER: Final = rb'"(\d{1,18}(?:\.\d{1,18})?)"'
_PRICE: Final = re.compile(rb'(?:\[|"[pbaochl]":)' + _NUMBER)
#: Not a kline's `q`, which is in the quote asset.
_QUANTITY: Final = re.compile(rb'(?:"[BAv]":|"p":"[\d.]{1,40}","q":|\["[\d.]{1,40}",)' + _NUMBER)
#: The finest that spot writes.
_SPOT_DECIMALS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A symbol as exchangeInfo lists it."""

    symbol: str
    base: str
    quote: str
    filters: SymbolFilters


def split(symbol: str) -> tuple[str, str]:
    """Base and quote asset: BTCUSDT is BTC and USDT, and so are BTCUSDT_260327 and BTCUSD_PERP's BTC and USD.

    The quote is the longest of `QUOTES` that the symbol ends with, which no rule can make certain; where none fits, it
    is the last three letters.
    """
    pair = symbol.partition("_")[0]
    for quote in QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair[: -len(quote)], quote
    return (pair[:-3], pair[-3:]) if len(pair) > 3 else (pair, pair)


def symbols_of(header: Header, index: TapeIndex, bodies: Iterable[Frame]) -> tuple[str, ...]:
    """The symbols that streams, filters and REST bodies name, in this order."""
    named = [streams.parse(name) for name in (*header.streams, *index.tape.names)]
    found = [stream.symbol for stream in named if stream.kind not in _NO_SYMBOL]
    return tuple(dict.fromkeys([*found, *header.filters, *recorded_books(bodies)]))


def listings_of(header: Header, index: TapeIndex, bodies: Iterable[Frame]) -> dict[str, Listing]:
    """Each symbol of a recording. Without filters in its header the steps follow from the decimals that it shows."""
    found = {}
    for symbol in symbols_of(header, index, bodies):
        base, quote = split(symbol)
        filters = header.filters.get(symbol) or _shown(index, symbol, header.market)
        found[symbol] = Listing(symbol=symbol, base=base, quote=quote, filters=filters)
    return found


def _shown(index: TapeIndex, symbol: str, market: Market) -> SymbolFilters:
    """Steps as fine as the finest price and quantity among some frames; no minimum notional is known."""
    prices = quantities = 0
    for payload in _samples(index, symbol):
        prices = max([prices, *(_decimals(text, market) for text in _PRICE.findall(payload))])
        quantities = max([quantities, *(_decimals(text, market) for text in _QUANTITY.findall(payload))])
    return SymbolFilters(tick_size=_step(prices), lot_step=_step(quantities), minimum_notional=Decimal(0))


def _samples(index: TapeIndex, symbol: str) -> Iterator[bytes]:
    for kind in _SHOWING:
        for name in index.names(symbol, kind):
            for number in range(min(_SAMPLED, index.frames(name))):
                yield index.payload(name, number)


def _decimals(text: bytes, market: Market) -> int:
    """Spot pads to eight decimals; USD-M writes as many as the step has."""
    decimals = text.partition(b".")[2]
    return len(decimals.rstrip(b"0") if market == "spot" else decimals)


def _step(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-min(decimals, _SPOT_DECIMALS))
