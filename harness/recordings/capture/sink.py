"""From the thread that reads to the one that writes: nothing that is slow stands between a socket and its clock."""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from harness.recordings.capture.tally import Tally
from harness.recordings.format import MARKET, MAX_LINE_BYTES, USER
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recordings.capture.files import Files, Outage
    from harness.recordings.capture.redaction import Redactor

#: What may wait for the disk before sockets are held back, and when they are let go again.
HIGH_BYTES: Final = 128 << 20
LOW_BYTES: Final = HIGH_BYTES // 4
#: What a waiting frame costs besides its body.
_OVERHEAD_BYTES: Final = 150
_TICK_S: Final = 1.0
_LARGEST_BYTES: Final = MAX_LINE_BYTES // 2


class _Frame(NamedTuple):
    at: Nanoseconds
    number: int
    body: bytes


class _Lost(NamedTuple):
    outage: Outage


class _Back(NamedTuple):
    outage: Outage


_Item: TypeAlias = _Frame | _Lost | _Back | None


class Sink:
    """Takes frames at once and writes them, redacted, in a thread of its own; times are unix nanoseconds.

    `put`, `lost` and `back` are for one thread, the one that reads. `on_change` is called by the writing one when the
    sink is no longer full, and when it has failed; `now` tells the time.
    """

    def __init__(
        self,
        files: Files,
        redactor: Redactor,
        *,
        now: Callable[[], Nanoseconds],
        on_change: Callable[[], object],
    ) -> None:
        self.failure: BaseException | None = None
        """Why nothing more is written; RecordingError for a disk."""
        self.tallies: dict[int, Tally] = {}
        """By number of connection; the account's is 0."""
        self.held_back = 0
        """How often it was full."""
        self._files = files
        self._redactor = redactor
        self._now = now
        self._on_change = on_change
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._full = False
        self._last = Nanoseconds(0)
        self._ticked = 0
        self._thread = threading.Thread(target=self._run, name="capture-writer", daemon=True)

    @property
    def is_full(self) -> bool:
        """Whether no more should be put until `on_change`."""
        return self._full

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def tally(self, number: int) -> Tally:
        """The count of one connection, before its first frame as well; to be called before `start`."""
        return self.tallies.setdefault(number, Tally())

    def put(self, at: Nanoseconds, number: int, body: bytes) -> None:
        """A frame of a market connection, or of the account where `number` is 0."""
        self._put_bytes += len(body) + _OVERHEAD_BYTES
        self._queue.put(_Frame(at, number, body))
        if not self._full and self._put_bytes - self._taken_bytes > HIGH_BYTES:
            self._full = True
            self.held_back += 1

    def lost(self, outage: Outage) -> None:
        """A connection is away."""
        self._queue.put(_Lost(outage))

    def back(self, outage: Outage) -> None:
        """It is back."""
        self._queue.put(_Back(outage))

    def finish(self) -> None:
        """Write what waits, seal the last file, end the thread. A signal does not keep it from that."""
        self._queue.put(None)
        while self._thread.is_alive():
            with contextlib.suppress(KeyboardInterrupt):  # asked to end: it is about to
                self._thread.join()

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._take(item)
            self._files.close()
        except BaseException as error:  # noqa: BLE001 - told to the thread that reads
            self.failure = error
            self._files.give_up()
            self._on_change()

    def _next(self) -> _Item:
        while True:
            try:
                return self._queue.get(timeout=_TICK_S)
            except queue.Empty:
                # Nothing waits, whatever was seen while the last of it was taken.
                self._let_go()
                self._files.tick(self._now())

    def _take(self, item: _Frame | _Lost | _Back) -> None:
        if isinstance(item, _Frame):
            self._write(item)
        elif isinstance(item, _Lost):
            self._files.lost(self._redacted(item.outage))
        else:
            outage = item.outage
            if outage.back_ns is not None:
                self.tallies[outage.number].gaps += 1
                self.tallies[outage.number].away_ns += outage.back_ns - outage.lost_ns
            self._files.back(self._redacted(outage))

    def _redacted(self, outage: Outage) -> Outage:
        words = self._redactor.text
        return replace(outage, streams=tuple(map(words, outage.streams)), reason=words(outage.reason))

    def _let_go(self) -> None:
        if self._full:
            self._full = False
            self._on_change()

    def _write(self, frame: _Frame) -> None:
        at, number, body = frame
        self._taken_bytes += len(body) + _OVERHEAD_BYTES
        if self._put_bytes - self._taken_bytes < LOW_BYTES:
            self._let_go()
        tally = self.tallies[number]
        if not _can_be_held(body):
            tally.unheld += 1
            return
        # Frames that a pause held back are older than others that came meanwhile.
        at = Nanoseconds(max(at, self._last))
        tally.seen(at, body)
        user = not number
        self._files.write(
            at, USER if user else MARKET, self._redactor.user(body) if user else self._redactor.market(body)
        )
        self._last = at
        if at - self._ticked >= NS_PER_S:
            self._ticked = at
            self._files.tick(at)


def _can_be_held(body: bytes) -> bool:
    if b"\n" in body or len(body) > _LARGEST_BYTES:
        return False
    try:
        body.isascii() or body.decode()
    except UnicodeDecodeError:
        return False
    return True
