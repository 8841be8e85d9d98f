"""What all connections share of the exchange's account side: one account, its orders, and who may ask about it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from harness.exchange.reports import reports_of
from harness.replay.accounts.gate import Gate, wall_ms
from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.order_requests import OrderRequests

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recordings.format import Market
    from harness.replay.accounts.keys import Keyring
    from harness.replay.accounts.listen_keys import ListenKeys
    from harness.replay.orders.account import WitnessedAccount


class AccountDesk:
    """One account before all connections, each with a thread of its own.

    With `orders` the WebSocket API takes them, in spot's shapes on either market. Whatever waits for the disk does not
    hold up the requests of other connections: what comes meanwhile is written together next.
    """

    def __init__(
        self,
        market: Market,
        *,
        keys: Keyring,
        require_keys: bool = False,
        orders: WitnessedAccount | None = None,
        listen_keys: ListenKeys,
        wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """Without `require_keys` who shows no key and no signature is served, and any unheard-of listen key is good."""
        self._gate = Gate(keys, require_keys=require_keys, market=market, wall_ms=wall_ms)
        self._orders = orders
        self._listen_keys = listen_keys
        self._writing = threading.Lock()

    def api_requests(self) -> ApiRequests:
        """The requests of one new connection to the WebSocket API.

        What they do with an order must be settled before they are answered. `answer` raises `orders.account.Cut` where
        a simulated fault wants the connection cut, and nothing answered.
        """
        if self._orders is None:
            return ApiRequests(self._gate, self._listen_keys)
        return OrderRequests(self._orders, self._gate, self._listen_keys)

    def admits(self, listen_key: str, now_ns: int) -> bool:
        """Whether account events flow for this listen key now."""
        if self._gate.require_keys:
            return self._listen_keys.admits(listen_key, now_ns)
        return not self._listen_keys.is_past(listen_key, now_ns)

    def settle(self, deliver: Callable[[list[bytes]], None] | None = None) -> list[bytes]:
        """Put on the disk all that was accepted until now, and return the account events that tell of it, bare.

        When it returns, every order that any connection's `answer` took before is on the disk. Each event is returned
        once, to one of the callers; `deliver` is given the same before any later ones are, so that whoever sends them
        keeps their order. Raises OSError when the disk does not take it: then nobody may be told, ever.
        """
        if self._orders is None:
            return []
        with self._writing:
            with self._gate.lock:
                batch = self._orders.take()
            self._orders.put(batch)
            events = [msgspec.json.encode(report) for one in batch.told for report in reports_of(one)]
            if deliver is not None and events:
                deliver(events)
            return events
