"""Requests on the WebSocket API, as far as the connection and its account events are concerned.

Source: Binance, web-socket-api.md, user-data-stream.md and errors.md of 2026. There is one account, whatever the key.
"""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.replay.accounts.gate import Gate, Security
from harness.replay.accounts.listen_keys import ListenKeys
from harness.replay.protocol.refusals import NotARequest, Refused, malformed
from harness.replay.protocol.selection import Selection, Wrapping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Params = Mapping[str, Any]

#: One subscription per account and connection.
SUBSCRIPTION: Final = 0
_VERSION: Final = re.compile(r"v[0-9]{1,3}/")
#: A name of a method that is not known is told so far.
_MAX_TOLD: Final = 64
#: What nobody collects is forgotten.
_MAX_PENDING: Final = 16


class Call(NamedTuple):
    """A request that was let in."""

    method: str
    params: Params
    api_key: str | None
    """By which it is asked; None for none."""
    now_ns: int


class Method(NamedTuple):
    """What a method costs, what it wants of who asks, and who does it: he returns the result or raises Refused."""

    weight: int
    security: Security
    do: Callable[[Call], object]


class ApiRequests:
    """The state of one connection: who is logged on, and whether it is subscribed to the account's events."""

    def __init__(self, gate: Gate | None = None, listen_keys: ListenKeys | None = None) -> None:
        self.gate = gate or Gate()
        self._listen_keys = listen_keys or ListenKeys()
        self._connected_ms = self.gate.wall_ms()
        self._authorized_ms: int | None = None
        self._api_key: str | None = None
        self._subscribed = False
        self._by_logon = False
        """Whether the subscription ends with the log-on."""
        self._pending: deque[str] = deque(maxlen=_MAX_PENDING)
        self._methods = {
            "ping": Method(1, Security.NONE, lambda _: {}),
            "time": Method(1, Security.NONE, lambda _: {"serverTime": self.gate.wall_ms()}),
            "session.logon": Method(2, Security.SIGNED_ITSELF, self._log_on),
            "session.status": Method(2, Security.NONE, lambda _: self._status()),
            "session.logout": Method(2, Security.NONE, self._log_out),
            "session.subscriptions": Method(2, Security.NONE, self._subscriptions),
            "userDataStream.subscribe": Method(2, Security.NONE, self._subscribe),
            "userDataStream.subscribe.signature": Method(2, Security.SIGNED_ITSELF, self._subscribe),
            "userDataStream.unsubscribe": Method(2, Security.NONE, self._unsubscribe),
            "userDataStream.start": Method(2, Security.KEY, self._start_listening),
            "userDataStream.ping": Method(2, Security.KEY, self._keep_listening),
            "userDataStream.stop": Method(2, Security.KEY, self._stop_listening),
        }
        """Those that are known."""

    @property
    def selection(self) -> Selection:
        """What the connection wants now."""
        return Selection(wrapping=Wrapping.API, account=self._subscribed)

    def pending(self) -> list[str]:
        """The events that follow the last answer on this connection alone, in their envelope; each is told once."""
        told = list(self._pending)
        self._pending.clear()
        return told

    def answer(self, text: str, now_ns: int) -> str:
        """The answer to one request, which is then in force; raises NotARequest when it must close the connection.

        `now_ns` is when its bytes arrived, by a monotonic clock.
        """
        request = _request_in(text)
        name = request.get("method")
        name = _VERSION.sub("", name, count=1) if isinstance(name, str) else ""
        params = request.get("params", {})
        shown = params if isinstance(params, dict) else {}
        method = self._methods.get(name) or Method(1, Security.NONE, self._refuse)
        answer: dict[str, object] = {"id": _identity(request)}
        try:
            _check_params(params)
            api_key = self.gate.admit(method.security, shown, text, self._api_key)
            with self.gate.lock:
                result = method.do(Call(name, shown, api_key, now_ns))
            answer |= {"status": 200, "result": result}
        except Refused as refused:
            answer |= {"status": refused.status, "error": {"code": refused.code, "msg": refused.msg}}
        with self.gate.lock:
            limits = self.gate.weights.add(method.weight, self.gate.wall_ms(), orders=name == "order.place")
        if shown.get("returnRateLimits") is not False:
            answer["rateLimits"] = limits
        return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)

    def _refuse(self, call: Call) -> object:
        if self.gate.market == "usdm":
            raise Refused(-5000, f"Method {call.method[:_MAX_TOLD]} is invalid")
        raise Refused(-1020, "This operation is not supported.")

    def _log_on(self, call: Call) -> object:
        if call.api_key is not None and not self.gate.may_log_on(call.api_key):
            raise Refused(-4056, "HMAC_SHA256 API key is not supported.")
        self._api_key, self._authorized_ms = call.api_key, self.gate.wall_ms()
        return self._status()

    def _log_out(self, _call: Call) -> object:
        self._api_key = self._authorized_ms = None
        if self._subscribed and self._by_logon:
            self._end()
        return self._status()

    def _status(self) -> object:
        return {
            "apiKey": self._api_key,
            "authorizedSince": self._authorized_ms,
            "connectedSince": self._connected_ms,
            "returnRateLimits": True,
            "serverTime": self.gate.wall_ms(),
            "userDataStream": self._subscribed,
        }

    def _subscriptions(self, _call: Call) -> object:
        return [{"subscriptionId": SUBSCRIPTION}] if self._subscribed else []

    def _subscribe(self, call: Call) -> object:
        by_logon = call.method == "userDataStream.subscribe"
        if by_logon and self.gate.require_keys and self._api_key is None:
            raise Refused(-1002, "You are not authorized to execute this request.", status=401)
        if self._subscribed:
            raise Refused(-2035, "User Data Stream subscription already active.")
        self._subscribed, self._by_logon = True, by_logon
        return {"subscriptionId": SUBSCRIPTION}

    def _unsubscribe(self, call: Call) -> object:
        wanted = call.params.get("subscriptionId")
        if not self._subscribed or (wanted is not None and wanted != SUBSCRIPTION):
            raise Refused(-2036, "User Data Stream subscription not active.")
        self._end()
        return {}

    def _end(self) -> None:
        self._subscribed = False
        event = {"e": "eventStreamTerminated", "E": self.gate.wall_ms()}
        self._pending.append(json.dumps({"subscriptionId": SUBSCRIPTION, "event": event}, separators=(",", ":")))

    def _start_listening(self, call: Call) -> object:
        return {"listenKey": self._listen_keys.create(call.now_ns)}

    def _keep_listening(self, call: Call) -> object:
        key = self._listen_key(call)
        if not self._listen_keys.keep_alive(key, call.now_ns):
            raise _no_such_listen_key()
        return {"listenKey": key} if self.gate.market == "usdm" else {}

    def _stop_listening(self, call: Call) -> object:
        if not self._listen_keys.close(self._listen_key(call)):
            raise _no_such_listen_key()
        return {}

    def _listen_key(self, call: Call) -> str:
        key = call.params.get("listenKey")
        if key is None and self.gate.market == "usdm":  # there the account alone says which
            return self._listen_keys.current(call.now_ns)
        if not isinstance(key, str):
            raise malformed("listenKey")
        return key


def _request_in(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotARequest("Invalid request") from error
    if not isinstance(request, dict):
        raise NotARequest("Invalid request")
    return request


def _check_params(params: object) -> None:
    if params is not None and not isinstance(params, dict):
        raise Refused(-1135, "JSON sent for parameter 'params' is not valid")


def _no_such_listen_key() -> Refused:
    return Refused(-1125, "This listenKey does not exist.")


def _no_number(word: str) -> float:
    """NaN and the infinities, which are Python's and not JSON's."""
    raise ValueError(word)


def _identity(request: Mapping[str, Any]) -> int | str | None:
    """What the answer is told apart by: echoed as it came, null for what can be none."""
    identity = request.get("id")
    return identity if isinstance(identity, int | str) and not isinstance(identity, bool) else None
