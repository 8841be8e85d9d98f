"""Requests on the WebSocket API, as far as account events need them.

Source: Binance, web-socket-api.md and user-data-stream.md of 2026: `userDataStream.subscribe` after `session.logon`,
or `userDataStream.subscribe.signature`. No key and no signature is looked at: the replay knows one account.
"""

from __future__ import annotations

import json
from typing import Any, Final

from harness.replay.protocol.refusals import NotARequest, Refused
from harness.replay.protocol.selection import Selection, Wrapping

#: One subscription per account and connection.
_SUBSCRIPTION: Final = 0


class ApiRequests:
    """The state of one WebSocket API connection: whether it is subscribed to the account's events."""

    def __init__(self) -> None:
        self._subscribed = False

    @property
    def selection(self) -> Selection:
        """What the connection wants now."""
        return Selection(wrapping=Wrapping.API, account=self._subscribed)

    def answer(self, text: str, now_ns: int = 0) -> str:  # noqa: ARG002 - the shape of all requests
        """The answer to one request, which is then in force; raises NotARequest when it must close the connection."""
        try:
            request = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NotARequest("Invalid request") from error
        if not isinstance(request, dict):
            raise NotARequest("Invalid request")
        identity = request.get("id")
        if not isinstance(identity, int | str | None):
            identity = None
        try:
            answer = {"id": identity, "status": 200, "result": self._do(request)}
        except Refused as refused:
            answer = {"id": identity, "status": 400, "error": {"code": refused.code, "msg": refused.msg}}
        return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)

    def _do(self, request: dict[str, Any]) -> object:
        match request.get("method"):
            case "userDataStream.subscribe" | "userDataStream.subscribe.signature":
                return self._subscribe()
            case "userDataStream.unsubscribe":
                return self._unsubscribe(request.get("params"))
            case "session.subscriptions":
                return [{"subscriptionId": _SUBSCRIPTION}] if self._subscribed else []
            case "session.logon" | "session.status":
                return {"apiKey": None, "userDataStream": self._subscribed}
            case "ping":
                return {}
            case _:
                raise Refused(-1020, "This operation is not supported.")

    def _subscribe(self) -> object:
        if self._subscribed:
            raise Refused(-2035, "User Data Stream subscription already active.")
        self._subscribed = True
        return {"subscriptionId": _SUBSCRIPTION}

    def _unsubscribe(self, params: object) -> object:
        wanted = params.get("subscriptionId", _SUBSCRIPTION) if isinstance(params, dict) else _SUBSCRIPTION
        if not self._subscribed or wanted != _SUBSCRIPTION:
            raise Refused(-2036, "User Data Stream subscription not active.")
        self._subscribed = False
        return {}
