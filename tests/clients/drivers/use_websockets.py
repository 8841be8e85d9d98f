"""The `websockets` library alone: no row of the table, but what the tests of the table itself drive.

`DRIVER_DROPS` in the environment makes it swallow every n-th message, so that a test can see that this is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from drivers.driving import Driver, Recorder, Settings, main

if TYPE_CHECKING:
    from collections.abc import Sequence

_DROPS = int(os.environ.get("DRIVER_DROPS", "0"))


class Websockets(Driver):
    distributions = ("websockets",)

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._seen = 0

    async def open(self, streams: Sequence[str]) -> None:
        url = f"{self.settings.streams}/stream?streams={'/'.join(streams)}"
        self._connection = await connect(url, proxy=None)
        self._reader = asyncio.create_task(self._read(self._connection))

    async def subscribe(self, streams: Sequence[str]) -> None:
        await self._send("SUBSCRIBE", streams)

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        await self._send("UNSUBSCRIBE", streams)

    async def recover(self, streams: Sequence[str]) -> None:
        assert self._reader is not None
        await self._reader
        await self.open(streams)

    async def close(self) -> None:
        assert self._connection is not None
        assert self._reader is not None
        await self._connection.close()
        await self._reader

    async def _send(self, method: str, streams: Sequence[str]) -> None:
        assert self._connection is not None
        await self._connection.send(json.dumps({"method": method, "params": list(streams), "id": 1}))

    async def _read(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                assert isinstance(message, str)
                self._seen += 1
                if not _DROPS or self._seen % _DROPS:
                    self.recorder.text(message)


if __name__ == "__main__":
    main(Websockets)
