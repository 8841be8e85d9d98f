"""The envelopes around a payload: read, cut off and put on.

A frame whose envelope cannot be read has no stream: it is a fault in the recording, and travels as it is.
"""

from __future__ import annotations

import re

import msgspec

_COMBINED = re.compile(rb'\{"stream":"([^"\\]*)","data":')
_EVENT = re.compile(rb'\{"subscriptionId":\d+,"event":')
_API = b'{"subscriptionId":0,"event":'


class _Combined(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _Event(msgspec.Struct):
    event: msgspec.Raw


_decode_combined = msgspec.json.Decoder(_Combined).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def stream_of(body: bytes) -> str | None:
    """The stream that a combined frame belongs to; None when that cannot be read."""
    found = _COMBINED.match(body)
    if found is not None:
        return found[1].decode(errors="replace")
    try:
        return _decode_combined(body).stream
    except msgspec.MsgspecError:
        return None


def payload_of(body: bytes) -> bytes:
    """A combined frame without its envelope; anything else as it is."""
    found = _COMBINED.match(body)
    if found is not None and body.endswith(b"}"):
        return body[found.end() : -1]
    try:
        return bytes(_decode_combined(body).data)
    except msgspec.MsgspecError:
        return body[found.end() :] if found is not None else body


def event_of(body: bytes) -> bytes:
    """An account frame without the envelope of the WebSocket API; one that has none as it is."""
    found = _EVENT.match(body)
    if found is not None and body.endswith(b"}"):
        return body[found.end() : -1]
    try:
        return bytes(_decode_event(body).event)
    except msgspec.MsgspecError:
        return body


def api_frame(body: bytes) -> bytes:
    """An account frame in the envelope of the WebSocket API; one that has it as it is."""
    if _EVENT.match(body) is not None or event_of(body) is not body:
        return body
    return _API + body + b"}"
