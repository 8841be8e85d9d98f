"""Control requests on a market connection: JSON text in, JSON text out, subscriptions changed in between.

Source: Binance, web-socket-streams.md, "Live Subscribing/Unsubscribing to streams"; errors travel wrapped as
`{"error":{...},"id":..}` and a text that is no JSON closes the socket, both as observed on the spot engine.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from harness.replay.protocol.refusals import NotARequest, Refused
from harness.replay.protocol.rules import SPOT

if TYPE_CHECKING:
    from harness.replay.protocol.selection import Selection
    from harness.replay.protocol.subscriptions import Subscriptions

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
#: A UUID in text is 36 characters long, which is the limit.
_ID_TEXT = re.compile(r"[\w.-]{1,36}", re.ASCII)
#: Of a stream's name, so that unknown ones, which are kept, stay within bounds: the longest there is has about 140.
_MAX_NAME: Final = 256


class MarketRequests:
    """The requests of one market connection, and what it wants by them."""

    def __init__(self, subscriptions: Subscriptions, *, combined: bool, max_streams: int = SPOT.max_streams) -> None:
        self._subscriptions = subscriptions
        self._combined = combined
        self._max_streams = max_streams

    @property
    def selection(self) -> Selection:
        """What the connection wants now."""
        return self._subscriptions.selection(combined=self._combined)

    def holds(self, listen_key: str) -> bool:
        """Whether that listenKey was subscribed to, good or not."""
        return self._subscriptions.holds(listen_key)

    def answer(self, text: str, now_ns: int) -> str:  # noqa: ARG002 - the shape of all requests
        """The answer to one request, which is then in force; raises NotARequest when it must close the connection."""
        identity: object = None
        try:
            request = _parsed(text)
            identity = _identity(request)
            result = self._do(request, len(text))
        except Refused as refused:
            return _dumped({"error": {"code": refused.code, "msg": refused.msg}, "id": identity})
        return _dumped({"result": result, "id": identity})

    def pending(self) -> list[str]:
        """Nothing follows an answer here."""
        return []

    def _do(self, request: dict[str, Any], size: int) -> object:
        method = request.get("method")
        match method:
            case None:
                raise Refused(2, f"Invalid request: missing field `method` at line 1 column {size}")
            case "SUBSCRIBE":
                return self._subscribe(_names(request))
            case "UNSUBSCRIBE":
                return self._unsubscribe(_names(request))
            case "LIST_SUBSCRIPTIONS":
                _no_more_than(request, 0)
                return self._subscriptions.names
            case "SET_PROPERTY":
                return self._set_property(request)
            case "GET_PROPERTY":
                _check_property(request, 1)
                return self._combined
        known = ", ".join(f"`{name}`" for name in _METHODS)
        shown = method if isinstance(method, str) else "that is no string"
        raise Refused(2, f"Invalid request: unknown variant {shown}, expected one of {known} (at line 1 column 28)")

    # What these three return is the answer's `result`.
    def _subscribe(self, names: list[str]) -> object:
        wanted = dict.fromkeys((*self._subscriptions.names, *names))
        # How Binance refuses them is not documented; the wording is ours.
        if len(wanted) > self._max_streams:
            raise Refused(2, f"Invalid request: more than {self._max_streams} streams on one connection")
        if any(len(name) > _MAX_NAME for name in names):
            raise Refused(2, f"Invalid request: a stream name has {_MAX_NAME} characters at most")
        self._subscriptions.replace(wanted)
        return None

    def _unsubscribe(self, names: list[str]) -> object:
        gone = set(names)
        self._subscriptions.replace(dict.fromkeys(name for name in self._subscriptions.names if name not in gone))
        return None

    def _set_property(self, request: dict[str, Any]) -> object:
        value = _check_property(request, 2)
        if not isinstance(value, bool):
            raise Refused(1, "Invalid value type: expected Boolean")
        self._combined = value
        return None


def _parsed(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Seen: `hello` closes with 1008. Documented: a broken request is answered with code 3.
        if not text.lstrip().startswith("{"):
            raise NotARequest("Invalid request") from error
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        raise Refused(3, f"Invalid JSON: expected value at line {line} column {column}") from error
    if not isinstance(request, dict):
        raise NotARequest("Invalid request")
    return request


def _identity(request: dict[str, Any]) -> int | str | None:
    identity = request.get("id", ...)
    if identity is None:
        return None
    if isinstance(identity, int) and not isinstance(identity, bool) and -(2**63) <= identity < 2**63:
        return identity
    if isinstance(identity, str) and _ID_TEXT.fullmatch(identity):
        return identity
    raise Refused(2, "Invalid request: request ID must be an unsigned integer")


def _names(request: dict[str, Any]) -> list[str]:
    names = request.get("params")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(2, "Invalid request: params must be an array of stream names")
    return names


def _check_property(request: dict[str, Any], size: int) -> object:
    """The last parameter of a property request; for a request of one parameter, the property's name itself."""
    params = request.get("params")
    if not isinstance(params, list) or not params or not isinstance(params[0], str):
        raise Refused(2, "Invalid request: property name must be a string")
    _no_more_than(request, size)
    if params[0] != "combined":
        raise Refused(0, "Unknown property")
    return params[-1] if len(params) == size else None


def _no_more_than(request: dict[str, Any], size: int) -> None:
    params = request.get("params")
    if params is not None and (not isinstance(params, list) or len(params) > size):
        raise Refused(2, "Invalid request: too many parameters")


def _dumped(answer: dict[str, object]) -> str:
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
