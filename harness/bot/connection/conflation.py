"""A bounded queue between the market connection and a bot that is behind: newer states replace older ones.

For live running only, when it is asked for: what is replaced depends on the clock, so no trial is measured with it.
Without it a bot that is behind lets the exchange wait (TCP), and sees every frame late instead of the newest in time.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.exchange import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Kinds of which each frame tells the whole state, so that the newest is enough. Of klines only open candles do.
STATE_LIKE: Final[frozenset[streams.Kind]] = frozenset(
    {"bookTicker", "miniTicker", "ticker", "markPrice", "partialDepth", "kline"}
)
_PREFIX = b'{"stream":"'
_BETWEEN = b'","data":'
#: Of a candle: not over yet. Written otherwise, it counts as over, and is kept.
_OPEN_CANDLE = b'"x":false'
#: Names beyond these are not conflated: a hostile peer must not fill the memory.
_MAX_STREAMS = 4_096
_MAX_HEAD = 160
#: Frames handed over before the loop has its turn, in which newer ones may arrive.
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflationStatistics:
    """The queue at one moment, and what it went through."""

    waiting: int
    peak: int
    capacity: int
    pauses: int
    """How often it was full, and the exchange had to wait."""
    conflated: Mapping[str, int]
    """Frames that gave way to a newer one, by kind of stream."""


class Conflation:
    """Hands every frame to `on_frame` in order, but for those that a newer one of the same stream replaced meanwhile.

    The newer takes the place of the older, so that a busy stream is not put off for ever. Trades, changes of the book,
    closed candles and all that is not known to be a state are never replaced. At `maximum` waiting frames `pause` is
    called, at half of it `resume`: both the market connection's, which nobody else is then to call.
    """

    def __init__(
        self,
        on_frame: Callable[[bytes], object],
        pause: Callable[[], None],
        resume: Callable[[], None],
        *,
        kinds: Iterable[str] = STATE_LIKE,
        maximum: int = 10_000,
    ) -> None:
        self._kinds = frozenset(kinds)
        if not self._kinds <= STATE_LIKE:
            others = ", ".join(sorted(self._kinds - STATE_LIKE))
            raise ValueError(f"{others}: each frame counts; only {', '.join(sorted(STATE_LIKE))} can be conflated")
        if maximum < 1:
            raise ValueError("a queue holds at least one frame")
        self._hand_over = on_frame
        self._pause_source = pause
        self._resume_source = resume
        self._maximum = maximum
        self._waiting: deque[list[bytes]] = deque()
        """Each frame in a cell, with the head of its stream when it may be replaced."""
        self._latest: dict[bytes, list[bytes]] = {}
        """The cell that the next frame of a stream replaces."""
        self._kind_of: dict[bytes, str] = {}
        """By head; an empty kind is never conflated."""
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._held = False
        self._is_full = False
        self._peak = self._pauses = 0
        self._conflated: Counter[str] = Counter()

    def on_frame(self, frame: bytes) -> None:
        """Take a frame; never waits."""
        head = frame[: frame.find(_BETWEEN)]
        kind = self._kind(head)
        if not kind:
            self._append([frame])
        elif kind == "kline" and _OPEN_CANDLE not in frame:
            # The next candle must not be told before this one is over.
            self._latest.pop(head, None)
            self._append([frame])
        elif head in self._latest:
            self._latest[head][0] = frame
            self._conflated[kind] += 1
        else:
            self._latest[head] = cell = [frame, head]
            self._append(cell)

    def pause(self) -> None:
        """Hand nothing over until `resume`, from this moment on; frames are taken and conflated all the same."""
        self._held = True

    def resume(self) -> None:
        """Hand over again."""
        self._held = False
        self._wake.set()

    async def run(self) -> None:
        """Hand over until cancelled; raises what `on_frame` raised."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._held:
                self._hand_over_batch()
                await asyncio.sleep(0)

    async def drained(self) -> None:
        """Return when nothing waits; `run` must be running."""
        await self._empty.wait()

    @property
    def statistics(self) -> ConflationStatistics:
        """Of this moment."""
        return ConflationStatistics(
            waiting=len(self._waiting),
            peak=self._peak,
            capacity=self._maximum,
            pauses=self._pauses,
            conflated=MappingProxyType(dict(self._conflated)),
        )

    def _kind(self, head: bytes) -> str:
        """The kind of stream that frames with this head belong to, if it is to be conflated; else nothing."""
        known = self._kind_of.get(head)
        if known is not None:
            return known
        strange = not head.startswith(_PREFIX) or len(head) > _MAX_HEAD
        if strange or len(self._kind_of) >= _MAX_STREAMS:
            return ""
        kind = streams.parse(head[len(_PREFIX) :].decode(errors="replace")).kind
        self._kind_of[head] = kind if kind in self._kinds else ""
        return self._kind_of[head]

    def _append(self, cell: list[bytes]) -> None:
        waiting = self._waiting
        waiting.append(cell)
        self._peak = max(self._peak, len(waiting))
        self._empty.clear()
        self._wake.set()
        if len(waiting) >= self._maximum and not self._is_full:
            self._is_full = True
            self._pauses += 1
            self._pause_source()

    def _hand_over_batch(self) -> None:
        for _ in range(min(_BATCH, len(self._waiting))):
            # Asked before each frame: what the last one decided may have filled a queue.
            if self._held:
                return
            cell = self._waiting.popleft()
            if len(cell) > 1 and self._latest.get(cell[1]) is cell:
                del self._latest[cell[1]]
            self._make_room()
            self._hand_over(cell[0])
        if not self._waiting:
            self._empty.set()

    def _make_room(self) -> None:
        if self._is_full and len(self._waiting) <= self._maximum // 2:
            self._is_full = False
            self._resume_source()
