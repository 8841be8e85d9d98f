"""python-binance: addresses are attributes of its classes; it has no request to subscribe: a socket is a subscription.

What it needs besides its URLs:
- `GET /api/v3/ping` and `/api/v3/time`, which `AsyncClient.create` calls.
- `max_queue_size` above its default of 100 where frames come faster than the user takes them: its reader does not wait
  for the queue but ends with BinanceWebsocketQueueOverflow.
- Patience: closing a socket on which nothing comes takes up to 10 s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from binance import AsyncClient, BinanceSocketManager

from drivers.driving import Driver, Recorder, Settings, by_symbol, main, note, route_of, symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUEUE = 1_000_000


class PythonBinance(Driver):
    distributions = ("python-binance", "websockets")

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        AsyncClient.API_URL = f"{settings.rest}/api"
        AsyncClient.FUTURES_URL = f"{settings.rest}/fapi"
        BinanceSocketManager.STREAM_URL = f"{settings.streams}/"
        BinanceSocketManager.FSTREAM_URL = f"{settings.streams}/"
        self._client: Any = None
        self._manager: Any = None
        self._readers: dict[str, list[asyncio.Task[None]]] = {}

    async def open(self, streams: Sequence[str]) -> None:
        self._client = await AsyncClient.create()
        self._manager = BinanceSocketManager(self._client, max_queue_size=_QUEUE)
        await self.subscribe(streams)

    async def subscribe(self, streams: Sequence[str]) -> None:
        for symbol, names in by_symbol(streams).items():
            for socket in self._sockets(names):
                await socket.connect()
                self._readers.setdefault(symbol, []).append(asyncio.create_task(self._read(socket)))

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        await self._stop({symbol_of(stream) for stream in streams})

    async def recover(self, streams: Sequence[str]) -> None:
        """It comes back by itself."""

    async def close(self) -> None:
        await self._stop(set(self._readers))
        await self._client.close_connection()

    def _sockets(self, names: list[str]) -> list[Any]:
        if self.settings.market == "spot":
            return [self._manager.multiplex_socket(names)]
        routes: dict[str, list[str]] = {}
        for name in names:
            routes.setdefault(route_of(name), []).append(name)
        return [self._manager.futures_multiplex_socket(some, category=route) for route, some in routes.items()]

    async def _read(self, socket: Any) -> None:
        try:
            while True:
                message = await socket.recv()
                if message.get("e") == "error":
                    note(message)
                else:
                    self.recorder.value(message)
        finally:
            await socket.close()

    async def _stop(self, symbols: set[str]) -> None:
        # At once: on a silent stream each takes until its reader's time-out of 10 s.
        readers = [reader for symbol in symbols for reader in self._readers.pop(symbol)]
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


if __name__ == "__main__":
    main(PythonBinance)
