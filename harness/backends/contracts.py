"""What a backend of each slot promises. A third party's backend fits by shape; `conformance` checks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from harness.backends.latency import LatencyTally

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
        """The library's own function or object that does the decoding: the proof of what is really in use.

        It, or the codec's own class, must come from the package that the entry point names.
        """
        ...

    def loads(self, data: bytes) -> Any:
        """The document as dict, list, str, int, float, bool or None.

        Integers from -2**63 to 2**64-1 and the nearest double of a number with a point or exponent; of equal keys the
        last; at least 100 levels deep. NaN, Infinity, and UTF-8 that is none are malformed. Beyond that libraries
        differ (larger numbers, lone surrogates, deeper nesting): an error of `errors` or an approximation, no more.
        """
        ...

    def dumps(self, value: Any) -> bytes:
        """Compact UTF-8; Decimal becomes a string, datetime ISO 8601 with Z for UTC.

        Equal documents give equal bytes with every codec, but for floats whose repr has an exponent (1e+16, 1e16).
        Keys are strings. Never writes what `loads` refuses: NaN and infinities become null or raise ValueError. What
        JSON has no word for raises ValueError or TypeError (RecursionError when it is too deep), except what a library
        knows of its own, such as dates or dataclasses.
        """
        ...


@runtime_checkable
class TypedCodec(Codec, Protocol):
    """A codec that can decode straight into a type."""

    def decoder(self, shape: type[T]) -> Callable[[bytes], T]:
        """A decoder for one msgspec-compatible type: lax about numbers in strings, unknown fields passed over.

        It raises one of `errors` or msgspec.ValidationError, and nothing else.
        """
        ...


@dataclass(slots=True, kw_only=True)
class CacheStatistics:
    """What a cache did so far."""

    hits: int = 0
    misses: int = 0
    writes: int = 0
    errors: int = 0
    """Operations that failed, opening included; not those that were left undone while the store was away."""
    dropped: int = 0
    """Puts that were not stored: too many waited, or the store was away."""
    skipped: int = 0
    """Look-ups that were not made, because the store was away or others had all its connections."""
    outages: int = 0
    """How often the store went away, at the start included."""
    away_now: bool = False
    """Whether the store is out of use at this moment: every `get` is None at once."""
    latency: LatencyTally = field(default_factory=LatencyTally, compare=False)
    """What look-ups waited for the store, those in vain included; empty for a cache within the process."""

    @property
    def hit_rate(self) -> float:
        """Hits among all answered look-ups, 0 to 1; 0 when there were none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 0.0


class Cache(Protocol):
    """Bytes by key with a time to live. A miss is None; never raises for an unreachable store, counts instead."""

    statistics: CacheStatistics

    async def open(self) -> str:
        """Connect; returns what answered (`"Valkey 9.1.2"`), or an empty string when nothing did; never raises.

        A cache of a store elsewhere then goes on trying by itself, and is in use from when the store answers.
        """
        ...

    async def get(self, key: str) -> bytes | None:
        """The value, or None for a miss, an expired key, or a store that does not answer.

        Waits for a store that hangs no longer than the cache's own limit, and not at all while it is known to be away.
        """
        ...

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store soon, without being waited for; a later `put` or `delete` of the key wins, also unflushed."""
        ...

    async def delete(self, *keys: str) -> None:
        """Forget the keys; unknown ones are fine.

        From the call on, no `get` that begins gives a value that was put before, though the store be away for a while.
        """
        ...

    async def flush(self) -> None:
        """Wait until all that was put has been stored, or dropped."""
        ...

    async def close(self) -> None:
        """Finish what was put and disconnect; afterwards every `get` is a miss, and nothing raises."""
        ...


class Connection(Protocol):
    """An open WebSocket whose frames are pushed to the callback it was made with."""

    @property
    def engine(self) -> object:
        """The library's own connection object: the proof of what is really in use (see Codec.engine)."""
        ...

    async def send(self, data: bytes) -> None:
        """Send one text frame."""
        ...

    def pause(self) -> None:
        """Stop reading: no callback until `resume`, and what the peer sends waits in the socket (back-pressure)."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    async def wait_closed(self) -> None:
        """Return when the peer has closed in order (1000, 1001), all its frames having been pushed.

        Raises ConnectionError for any other end, and what the callback raised.
        """
        ...

    async def close(self) -> None:
        """Close from our side: no callback afterwards; raises nothing, `wait_closed` told it."""
        ...


class Transport(Protocol):
    """Opens WebSockets. Push: the callback is synchronous, so that a fast library pays no task switch a frame."""

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> Connection:
        """A connection without compression that answers the peer's pings; every frame is pushed as `bytes`, in order.

        Never follows a redirect and uses no proxy. Raises OSError when nobody answers, TimeoutError when nobody answers
        in time, ConnectionError when the peer refuses the handshake.
        """
        ...
