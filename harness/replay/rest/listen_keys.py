"""`userDataStream` (spot, until 2026) and `listenKey` (USD-M): keys of account streams by REST (BINANCE.md 7 and 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from harness.replay.rest.parameters import Refusal, missing

if TYPE_CHECKING:
    from harness.recordings.format import Market
    from harness.replay.rest.http import HttpRequest


class ListenKeys(Protocol):
    """The keys that are valid; thread-safe. Times are nanoseconds of a monotonic clock."""

    def create(self, now_ns: int) -> str:
        """A new key, or the valid one, whose time begins anew."""
        ...

    def keep_alive(self, key: str, now_ns: int) -> bool:
        """Whether the key is valid; its time begins anew."""
        ...

    def close(self, key: str) -> bool:
        """Whether the key was valid; it is no longer."""
        ...


class ListenKeyRequests:
    """POST, PUT and DELETE of listen keys. Any API key is good, for there is one account."""

    def __init__(self, keys: ListenKeys, market: Market) -> None:
        self._keys = keys
        self._market = market
        self._latest = ""

    def answer(self, request: HttpRequest, fields: dict[str, str], now_ns: int) -> dict[str, Any]:
        """The body of the answer; Refusal for no API key, no listen key, or one that does not exist (-1125)."""
        if not request.headers.get("x-mbx-apikey"):
            raise Refusal(-2014, "API-key format invalid.", status=401)
        if request.method == "POST":
            self._latest = self._keys.create(now_ns)
            return {"listenKey": self._latest}
        key = fields.get("listenKey") or self._own()
        kept = self._keys.keep_alive(key, now_ns) if request.method == "PUT" else self._keys.close(key)
        if not kept:
            raise Refusal(-1125, "This listenKey does not exist.")
        return {"listenKey": key} if request.method == "PUT" and self._market == "usdm" else {}

    def _own(self) -> str:
        """USD-M knows the key by the account; spot wants it told."""
        if self._market == "spot":
            raise missing("listenKey")
        return self._latest
