"""Notices a connection, or one stream of it, that has fallen silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.exchange import streams
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.clock import Clock

_PREFIX = b'{"stream":"'
_BETWEEN = b'","data":'


class _Heard:
    """A count of frames, and when it last was seen to have grown."""

    __slots__ = ("limit", "name", "seen", "since")

    def __init__(self, name: str, limit_s: float, now: int) -> None:
        self.name = name
        self.limit = seconds(limit_s)
        self.seen = 0
        self.since = now

    def is_silent(self, count: int, now: int) -> bool:
        """Whether nothing came for longer than the limit, as far as looks can tell."""
        if count != self.seen:
            self.seen, self.since = count, now
        return now - self.since > self.limit > 0


class Watchdog:
    """Counts what comes and is looked at now and then: no frame asks for the time.

    A silence is therefore noticed one look late at most. `silent_s` is for the whole connection, `stream_silent_s` for
    each stream of a kind (see `exchange.streams`) that has spoken once; 0 or a kind that is not named is never silent.
    Streams are told apart in combined frames only.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        silent_s: float = 0.0,
        stream_silent_s: Mapping[str, float] | None = None,
        names: Iterable[str] = (),
    ) -> None:
        self.frames = 0
        self._clock = clock
        now = clock.now()
        self._whole = _Heard("", silent_s, now)
        limits = {name: (stream_silent_s or {}).get(streams.parse(name).kind, 0.0) for name in names}
        self._streams = {
            _PREFIX + name.encode(): _Heard(name, limit_s, now) for name, limit_s in limits.items() if limit_s
        }
        self._counts = dict.fromkeys(self._streams, 0)

    def watch(self, on_frame: Callable[[bytes], object]) -> Callable[[bytes], None]:
        """The handler to use instead of this one."""
        counts = self._counts

        def counted(frame: bytes) -> None:
            self.frames += 1
            on_frame(frame)

        def told_apart(frame: bytes) -> None:
            self.frames += 1
            head = frame[: frame.find(_BETWEEN)]
            if head in counts:
                counts[head] += 1
            on_frame(frame)

        return told_apart if counts else counted

    def is_silent(self) -> bool:
        """Whether the whole connection is."""
        return self._whole.is_silent(self.frames, self._clock.now())

    def silent_streams(self) -> list[str]:
        """Names of streams that are; each has its whole time again afterwards."""
        now = self._clock.now()
        silent = [
            heard for head, heard in self._streams.items() if heard.is_silent(self._counts[head], now) and heard.seen
        ]
        for heard in silent:
            heard.since = now
        return [heard.name for heard in silent]

    def forgive(self) -> None:
        """Begin all times anew: a connection was opened, or nothing was to be heard for a while."""
        now = self._clock.now()
        for heard in (self._whole, *self._streams.values()):
            heard.since = now
