"""cryptofeed: addresses are class attributes; it refuses any address but `wss://`; a feed is a subscription.

What it needs besides its endpoints:
- TLS whose certificate it believes: `SSL_CERT_FILE` names ours (or `options={"ssl": context}` on the endpoint).
- `GET /api/v3/exchangeInfo` (`/fapi/v1/exchangeInfo`) when a feed is made: `symbol`, `status`, `baseAsset`,
  `quoteAsset`, for USD-M `contractType`, and a first filter that has a `tickSize`.
- `GET /api/v3/depth?symbol=..&limit=1000` (`/fapi/v1/depth`) at the first diff of a symbol.
- For every kline and not only the closed ones, `candle_closed_only=False`.
Messages are taken where its own `raw_data_collection` takes them: its typed objects leave out book updates that lie
before the snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, WebsocketEndpoint
from cryptofeed.defines import CANDLES, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance, BinanceFutures

from drivers.driving import Driver, Recorder, Settings, by_symbol, channel_of, main, symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHANNELS = {"aggTrade": TRADES, "bookTicker": TICKER, "depth@100ms": L2_BOOK, "kline_1m": CANDLES}


class _Collection:
    """In the shape of cryptofeed's own AsyncFileCallback; what it reads from a WebSocket comes without any keyword."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def __call__(self, data: str | None, _timestamp: float, _uuid: str, **about: Any) -> None:
        if data is not None and not about:
            self._recorder.text(data)

    def sync_callback(self, data: str, timestamp: float, uuid: str, **about: Any) -> None:
        """REST bodies are no frames."""

    def write_header(self, uuid: str, data: str) -> None:
        """There is no file of its own."""

    def stop(self) -> None:
        """There is no file of its own."""


async def _ignore(_object: Any, _receipt: float) -> None:
    """The raw message was written already."""


class Cryptofeed(Driver):
    distributions = ("cryptofeed", "websockets")

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        self._exchange: Any = Binance if settings.market == "spot" else BinanceFutures
        options = self._exchange.websocket_endpoints[0].options
        routes = self._exchange.rest_endpoints[0].routes
        self._exchange.websocket_endpoints = [WebsocketEndpoint(settings.streams, options=options)]
        self._exchange.rest_endpoints = [RestEndpoint(settings.rest, routes=routes)]
        self._handler: Any = FeedHandler(
            config={"uvloop": True, "log": {"disabled": True}}, raw_data_collection=_Collection(recorder)
        )
        self._feeds: dict[str, Any] = {}

    async def open(self, streams: Sequence[str]) -> None:
        self._handler.run(start_loop=False, install_signal_handlers=False)
        await self.subscribe(streams)

    async def subscribe(self, streams: Sequence[str]) -> None:
        symbols = {raw.lower(): name for name, raw in self._exchange.symbol_mapping().items()}
        for symbol, names in by_symbol(streams).items():
            wanted = {_CHANNELS[channel_of(name)]: [symbols[symbol]] for name in names}
            feed = self._exchange(
                subscription=wanted, callbacks=dict.fromkeys(wanted, _ignore), candle_closed_only=False
            )
            self._feeds[symbol] = feed
            self._handler.add_feed(feed)

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        for symbol in {symbol_of(stream) for stream in streams}:
            feed = self._feeds.pop(symbol)
            feed.stop()
            await feed.shutdown()

    async def recover(self, streams: Sequence[str]) -> None:
        """It comes back by itself."""

    async def close(self) -> None:
        await self.unsubscribe(list(self._feeds))
        self._handler.feeds.clear()


if __name__ == "__main__":
    main(Cryptofeed)
