"""picows: a WebSocket client and no more, so the requests to subscribe are written here.

What it needs besides its URL: nothing. It answers pings by itself and does not reconnect by itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from drivers.driving import Driver, Recorder, Settings, main

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Listener(WSListener):  # type: ignore[misc] # the library is not in the environment that is checked
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self._recorder.text(frame.get_payload_as_utf8_text())


class Picows(Driver):
    distributions = ("picows",)

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        super().__init__(settings, recorder)
        self._transport: WSTransport | None = None
        self._requests = 0

    async def open(self, streams: Sequence[str]) -> None:
        url = f"{self.settings.streams}/stream?streams={'/'.join(streams)}"
        self._transport, _ = await ws_connect(lambda: _Listener(self.recorder), url)

    async def subscribe(self, streams: Sequence[str]) -> None:
        self._send("SUBSCRIBE", streams)

    async def unsubscribe(self, streams: Sequence[str]) -> None:
        self._send("UNSUBSCRIBE", streams)

    async def recover(self, streams: Sequence[str]) -> None:
        assert self._transport is not None
        await self._transport.wait_disconnected()
        await self.open(streams)

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.send_close(1000)
            self._transport.disconnect()
            await self._transport.wait_disconnected()

    def _send(self, method: str, streams: Sequence[str]) -> None:
        assert self._transport is not None
        self._requests += 1
        request = {"method": method, "params": list(streams), "id": self._requests}
        self._transport.send(WSMsgType.TEXT, json.dumps(request).encode())


if __name__ == "__main__":
    main(Picows)
