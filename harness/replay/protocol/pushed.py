"""What the server sends unasked beside market data, in the envelope of the connection.

Source: Binance, web-socket-streams.md and web-socket-api.md (`serverShutdown`), user-data-stream.md, and the USD-M user
data streams, whose combined envelope bears the listenKey as the stream's name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from harness.recordings.numbers import place_of
from harness.replay.envelope import api_frame, event_of
from harness.replay.protocol.selection import Wrapping
from harness.replay.timeunit import in_microseconds

if TYPE_CHECKING:
    from harness.replay.protocol.selection import Selection

_SHUTDOWN_STREAM: Final = "!serverShutdown"


def account_text(selection: Selection, event: bytes) -> bytes | None:
    """An account event as that connection receives it; None when it did not ask for it.

    The event is bare, or in the envelope of the WebSocket API.
    """
    if not selection.account or (selection.events and place_of("", event).event not in selection.events):
        return None
    timed = in_microseconds("", event) if selection.microseconds else event
    if selection.wrapping is Wrapping.API:
        return api_frame(timed)
    bare = event_of(timed)
    return _combined(selection.listen_key, bare) if selection.wrapping is Wrapping.COMBINED else bare


def shutdown_text(selection: Selection, now_ms: int) -> bytes:
    """The notice that the connection is about to end."""
    event = b'{"e":"serverShutdown","E":%d}' % now_ms
    timed = in_microseconds("", event) if selection.microseconds else event
    match selection.wrapping:
        case Wrapping.API:
            return b'{"event":' + timed + b"}"
        case Wrapping.COMBINED:
            return _combined(_SHUTDOWN_STREAM, timed)
        case Wrapping.RAW:
            return timed


def ended_text(selection: Selection, listen_key: str, event: bytes) -> bytes:
    """The event that tells that a listenKey ended, which is the last one to whoever listened by it."""
    timed = in_microseconds("", event) if selection.microseconds else event
    return _combined(listen_key, timed) if selection.wrapping is Wrapping.COMBINED else timed


def _combined(stream: str, payload: bytes) -> bytes:
    return b'{"stream":' + json.dumps(stream).encode() + b',"data":' + payload + b"}"
