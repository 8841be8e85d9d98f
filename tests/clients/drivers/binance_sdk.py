"""What the two official SDKs share: one class of connections, with `subscribe`, `on` and `unsubscribe`.

What they need besides `stream_url`:
- After a connection was cut (not closed by a planned reconnect) they do not come back: the user opens and subscribes
  again, told by `on_connection("close", ...)`.
- What arrives between a SUBSCRIBE and the `on` that follows it is dropped by the client. Here time stands still
  meanwhile.
- Ids are UUIDs of 36 characters. The USD-M SDK opens `/market/stream`, `/public/stream` and `/private/stream` at once.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from drivers.driving import Driver, Recorder, Settings, note, until

if TYPE_CHECKING:
    from collections.abc import Sequence


class BinanceSdk(Driver):
    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        self._streams: Any = self.make()
        self._cut = False

    @abstractmethod
    def make(self) -> Any:
        """The SDK's `websocket_streams`, pointed at the replay."""

    @abstractmethod
    def groups(self, streams: Sequence[str]) -> dict[str | None, list[str]]:
        """The streams of each route; None where there are no routes."""

    async def open(self, streams: Sequence[str]) -> None:
        await self._streams.create_connection()
        self._cut = False
        self._streams.on_connection("close", self._closed)
        self._streams.on_connection("error", note)
        await self.subscribe(streams)

    async def subscribe(self, streams: Sequence[str]) -> None:
        for route, names in self.groups(streams).items():
            await self._streams.subscribe(names, stream_url=route)
            for name in names:
                self._streams.on("message", self.recorder.value, name)

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        await self._streams.unsubscribe(list(streams))

    async def recover(self, streams: Sequence[str]) -> None:
        await until(lambda: self._cut and not self._streams.connections)
        await self.open(streams)

    async def close(self) -> None:
        await self._streams.close_connection(close_session=True)

    def _closed(self) -> None:
        self._cut = True
