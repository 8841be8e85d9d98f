"""What a backend of each slot promises. A third party's backend fits by shape; `conformance` checks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

T = TypeVar("T")


class LoopFactory(Protocol):
    """Makes a new event loop, for `asyncio.Runner(loop_factory=...)`."""

    def __call__(self) -> asyncio.AbstractEventLoop:
        """A new loop that nobody runs yet."""
        ...


@runtime_checkable
class Codec(Protocol):
    """JSON to and from bytes. Malformed input raises one of `errors`, and nothing else."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the library raises for malformed input."""
        ...

    @property
    def engine(self) -> object:
        """The library's own function or object that does the decoding: the proof of what is really in use."""
        ...

    def loads(self, data: bytes) -> Any:
        """The document as dict, list, str, int, float, bool or None. NaN and Infinity are malformed."""
        ...

    def dumps(self, value: Any) -> bytes:
        """Compact UTF-8; Decimal becomes a string, datetime ISO 8601. Raises ValueError or TypeError for the rest."""
        ...


@runtime_checkable
class TypedCodec(Codec, Protocol):
    """A codec that can decode straight into a type."""

    def decoder(self, shape: type[T]) -> Callable[[bytes], T]:
        """A decoder for one msgspec-compatible type, lax about numbers in strings."""
        ...


@dataclass(slots=True, kw_only=True)
class CacheStatistics:
    """What a cache did so far."""

    hits: int = 0
    misses: int = 0
    writes: int = 0
    errors: int = 0

    @property
    def hit_rate(self) -> float:
        """Hits among all answered look-ups, 0 to 1; 0 when there were none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 0.0


class Cache(Protocol):
    """Bytes by key with a time to live. A miss is None; never raises for an unreachable store, counts instead."""

    statistics: CacheStatistics

    async def open(self) -> str:
        """Connect; returns what answered (`"Valkey 9.1.2"`), or an empty string when nothing did."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value, or None for a miss, an expired key, or a store that does not answer."""
        ...

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store soon, without being waited for."""
        ...

    async def delete(self, *keys: str) -> None:
        """Forget the keys; unknown ones are fine."""
        ...

    async def flush(self) -> None:
        """Wait until all that was put has been stored."""
        ...

    async def close(self) -> None:
        """Finish what was put and disconnect."""
        ...


class Connection(Protocol):
    """An open WebSocket whose frames are pushed to the callback it was made with."""

    @property
    def engine(self) -> object:
        """The library's own connection object: the proof of what is really in use."""
        ...

    async def send(self, data: bytes) -> None:
        """Send one text frame."""
        ...

    def pause(self) -> None:
        """Stop reading: what the peer sends from now on waits in the socket (back-pressure)."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    async def wait_closed(self) -> None:
        """Return when the peer has closed in order; raises what broke the connection or the callback otherwise."""
        ...

    async def close(self) -> None:
        """Close from our side."""
        ...


class Transport(Protocol):
    """Opens WebSockets. Push: the callback is synchronous, so that a fast library pays no task switch a frame."""

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> Connection:
        """Raises OSError when nobody answers, TimeoutError when nobody answers in time."""
        ...
