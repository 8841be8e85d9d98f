"""What the tests of generated recordings read out of one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recordings.format import Recording

Message = tuple[str, str, dict[str, Any]]


def messages(recording: Recording) -> Iterator[Message]:
    """Symbol, kind of stream, and payload of each market frame."""
    decode = msgspec.json.decode
    for frame in recording.frames:
        if frame.connection == "market":
            message = decode(frame.body)
            symbol, _, kind = message["stream"].partition("@")
            yield symbol.upper(), kind, message["data"]


def account_events(recording: Recording) -> list[dict[str, Any]]:
    """The account's events, without the envelope of the WebSocket API where they have it."""
    found = [msgspec.json.decode(frame.body) for frame in recording.frames if frame.connection == "user"]
    return [message.get("event", message) for message in found]


def of_kind(market: list[Message], kind: str) -> list[dict[str, Any]]:
    return [data for _, found, data in market if found == kind]


def by_symbol(market: list[Message], kind: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for symbol, stream, data in market:
        if stream == kind:
            found[symbol].append(data)
    return found


class LocalBook:
    """A book kept from snapshot and diffs, as a client keeps it; levels outside the snapshot are taken in as well."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last = snapshot["lastUpdateId"]
        self.sides = [dict(map(tuple, snapshot[side])) for side in ("bids", "asks")]
        self.joined = False

    def apply(self, event: dict[str, Any]) -> bool:
        """Binance's rules of sequence (BINANCE.md 5.1 and 6), asserted; whether the event was news."""
        if "pu" in event:
            if not self.joined and event["u"] < self.last:
                return False
            assert event["pu"] == self.last if self.joined else event["U"] <= self.last <= event["u"]
        else:
            if event["u"] <= self.last:
                return False
            assert event["U"] == self.last + 1 if self.joined else event["U"] <= self.last + 1
        self.joined = True
        self.last = event["u"]
        for side, rows in zip(self.sides, (event["b"], event["a"]), strict=True):
            for price, quantity in rows:
                if float(quantity):
                    side[price] = quantity
                else:
                    side.pop(price, None)
        return True

    @property
    def top(self) -> tuple[str, str, str, str]:
        """Best bid, its quantity, best ask, its quantity: as the wire writes them."""
        bids, asks = self.sides
        bid, ask = max(bids, key=float), min(asks, key=float)
        return bid, bids[bid], ask, asks[ask]
