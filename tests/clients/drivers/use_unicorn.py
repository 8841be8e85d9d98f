"""unicorn-binance-websocket-api, on either of its two WebSocket libraries: `websockets`, the default, or `picows`.

What it needs besides `websocket_base_uri`:
- `warn_on_update=False`, or it asks the internet for its newest version.
- For USD-M a stream of its own for book data and for the rest; it puts the route before the path itself.
It subscribes in products of channels and markets and repeats what is in its URL in a SUBSCRIBE. It comes back by
itself, and then with those that were given up too: what a stream was created with is asked for again. A stream that
is stopped closes with its next frame and not before.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from unicorn_binance_websocket_api import BinanceWebSocketApiManager

from drivers.driving import Driver, Recorder, Settings, channel_of, main, route_of, symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIBRARY = os.environ.get("DRIVER_LIBRARY", "websockets")


class Unicorn(Driver):
    distributions = ("unicorn-binance-websocket-api", _LIBRARY)

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        self._manager: Any = None
        self._streams: dict[str, str] = {}

    async def open(self, streams: Sequence[str]) -> None:
        if self._manager is None:
            self._manager = BinanceWebSocketApiManager(
                exchange="binance.com" if self.settings.market == "spot" else "binance.com-futures",
                websocket_base_uri=f"{self.settings.streams}/",
                restful_base_uri=self.settings.rest,
                websocket_library=_LIBRARY,
                warn_on_update=False,
                disable_colorama=True,
            )
        for route, names in self._routes(streams).items():
            self._streams[route] = await asyncio.to_thread(
                self._manager.create_stream,
                sorted({channel_of(name) for name in names}),
                sorted({symbol_of(name) for name in names}),
                process_stream_data=self.recorder.text,
            )

    async def subscribe(self, streams: Sequence[str]) -> None:
        for route, names in self._routes(streams).items():
            markets = sorted({symbol_of(name) for name in names})
            await asyncio.to_thread(self._manager.subscribe_to_stream, self._streams[route], markets=markets)

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        for route, names in self._routes(streams).items():
            markets = sorted({symbol_of(name) for name in names})
            await asyncio.to_thread(self._manager.unsubscribe_from_stream, self._streams[route], markets=markets)

    async def recover(self, streams: Sequence[str]) -> None:
        """It comes back by itself."""

    async def close(self) -> None:
        for stream in self._streams.values():
            await asyncio.to_thread(self._manager.stop_stream, stream)
        self._streams.clear()

    def _routes(self, streams: Sequence[str]) -> dict[str, list[str]]:
        if self.settings.market == "spot":
            return {"": list(streams)}
        routes: dict[str, list[str]] = {}
        for stream in streams:
            routes.setdefault(route_of(stream), []).append(stream)
        return routes


if __name__ == "__main__":
    main(Unicorn)
    os._exit(0)  # its manager's thread is none of the kind that ends with the program
