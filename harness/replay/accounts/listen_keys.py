"""The keys under which account events are listened to, where a URL names one: made, kept alive, closed, expired.

Source: Binance, USD-M `POST`, `PUT` and `DELETE /fapi/v1/listenKey`, and the like of spot until 2026
(`/api/v3/userDataStream`): valid for 60 minutes; a second `POST` returns the key that is alive and extends it.
"""

from __future__ import annotations

import secrets
import string
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

VALID_SECONDS: Final = 3_600.0
_LENGTH: Final = 64
_LETTERS: Final = string.ascii_letters + string.digits
#: Keys of the past that are told from such as never were; the oldest are forgotten first.
_REMEMBERED: Final = 1_024


def random_key() -> str:
    """64 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


class ListenKeys:
    """The listen keys of one account, of which one at most is alive. For any thread; times are a monotonic clock's."""

    def __init__(self, valid_seconds: float = VALID_SECONDS, *, make: Callable[[], str] = random_key) -> None:
        self._valid_ns = round(valid_seconds * NS_PER_S)
        self._make = make
        self._lock = threading.Lock()
        self._alive = ""
        self._ends_ns = 0
        self._untold: deque[str] = deque(maxlen=_REMEMBERED)
        self._past: dict[str, None] = {}

    def create(self, now_ns: int) -> str:
        """The key that is alive, now valid for the whole time again; else a new one."""
        with self._lock:
            self._expire(now_ns)
            self._alive = self._alive or self._make()
            self._ends_ns = now_ns + self._valid_ns
            return self._alive

    def current(self, now_ns: int) -> str:
        """The key that is alive; empty for none."""
        with self._lock:
            self._expire(now_ns)
            return self._alive

    def keep_alive(self, key: str, now_ns: int) -> bool:
        """Make the key valid for the whole time again; whether there is such a key."""
        with self._lock:
            self._expire(now_ns)
            if not self._is_alive(key):
                return False
            self._ends_ns = now_ns + self._valid_ns
            return True

    def close(self, key: str) -> bool:
        """End the key, which is then not told as expired; whether there was such a key."""
        with self._lock:
            if not self._is_alive(key):
                return False
            self._end()
            return True

    def admits(self, key: str, now_ns: int) -> bool:
        """Whether account events flow for the key."""
        with self._lock:
            return self._is_alive(key) and now_ns < self._ends_ns

    def is_past(self, key: str, now_ns: int) -> bool:
        """Whether the key was alive once and is no more."""
        with self._lock:
            return key in self._past or (self._is_alive(key) and now_ns >= self._ends_ns)

    def expired(self, now_ns: int) -> list[str]:
        """The keys that have run out since this was asked last: each is told once."""
        with self._lock:
            self._expire(now_ns)
            told = list(self._untold)
            self._untold.clear()
            return told

    def _is_alive(self, key: str) -> bool:
        return bool(key) and key == self._alive

    def _expire(self, now_ns: int) -> None:
        if self._alive and now_ns >= self._ends_ns:
            self._untold.append(self._alive)
            self._end()

    def _end(self) -> None:
        self._past[self._alive] = None
        if len(self._past) > _REMEMBERED:
            del self._past[next(iter(self._past))]
        self._alive = ""
