"""ccxt.pro: addresses are its `urls`, given to the constructor.

What it needs besides its URLs:
- `GET /api/v3/exchangeInfo` (`/fapi/v1/exchangeInfo`) for its list of markets, and `options.fetchMarkets.types` with
  the one market that is replayed, or it asks `/api`, `/fapi` and `/dapi` at once. (It also tells spot from USD-M by the
  text `/stream` in a socket's address, as in `wss://stream.binance.com`; with one market loaded that is moot.)
- `GET /api/v3/depth?symbol=..&limit=1000` (`/fapi/v1/depth`) when a depth stream is acknowledged.
- A loop around each `watch` call: after a cut the one that waits raises NetworkError, and the next connects anew.
It opens a socket for each kind of `watch` call (`/ws/0`, `/ws/1` ...) and subscribes on it.
Messages are taken from its log in verbose mode, `log` given to the constructor, which has every text as received: its
order books and tickers hand over the newest state only, by design.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import ccxt.pro
from ccxt.base.errors import NetworkError

from drivers.driving import Driver, Recorder, Settings, channel_of, main, note, symbol_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


class CcxtPro(Driver):
    distributions = ("ccxt", "aiohttp")

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        self._exchange: Any = None
        self._watching: dict[str, asyncio.Task[None]] = {}

    async def open(self, streams: Sequence[str]) -> None:
        self._exchange = self._make()
        await self._exchange.load_markets()
        await self.subscribe(streams)

    async def subscribe(self, streams: Sequence[str]) -> None:
        for stream in streams:
            self._watching[stream] = asyncio.create_task(self._watch(self._call("watch", stream)))

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        for stream in streams:
            watching = self._watching.pop(stream)
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await self._call("un_watch", stream)()

    async def recover(self, streams: Sequence[str]) -> None:
        """It comes back at the next `watch`, which is under way already."""

    async def close(self) -> None:
        for watching in self._watching.values():
            watching.cancel()
        await asyncio.gather(*self._watching.values(), return_exceptions=True)
        self._watching.clear()
        await self._exchange.close()

    def _make(self) -> Any:
        rest, streams = self.settings.rest, self.settings.streams
        spot = self.settings.market == "spot"
        return (ccxt.pro.binance if spot else ccxt.pro.binanceusdm)(
            {
                "urls": {
                    "api": {
                        "public": f"{rest}/api/v3",
                        "fapiPublic": f"{rest}/fapi/v1",
                        "ws": {"spot": f"{streams}/ws", "linear": f"{streams}/ws"},
                    }
                },
                "options": {"fetchMarkets": {"types": ["spot" if spot else "linear"]}},
                "verbose": True,
                "log": self._log,
            }
        )

    def _log(self, *words: Any) -> None:
        # (time, "message", text); what else is logged is about requests
        if len(words) == 3 and words[1] == "message":
            self.recorder.text(words[2])

    def _call(self, verb: str, stream: str) -> Callable[[], Awaitable[Any]]:
        exchange = self._exchange
        symbol = exchange.safe_symbol(symbol_of(stream).upper())
        channel = channel_of(stream)
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "aggTrade": lambda: getattr(exchange, f"{verb}_trades")(symbol, params={"name": "aggTrade"}),
            "bookTicker": lambda: getattr(exchange, f"{verb}_bids_asks")([symbol]),
            "depth@100ms": lambda: getattr(exchange, f"{verb}_order_book")(symbol),
            "kline_1m": lambda: getattr(exchange, f"{verb}_ohlcv")(symbol, "1m"),
        }
        return calls[channel]

    @staticmethod
    async def _watch(call: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await call()
            except NetworkError as error:
                note(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(CcxtPro)
