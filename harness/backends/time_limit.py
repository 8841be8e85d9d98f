"""A limit on how long a block may wait, which charges nobody for time in which the loop was busy with other things."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

#: A timer that comes later than this was kept waiting by the loop.
_PUNCTUAL_S = 0.002


class TimeLimit:
    """A block that raises TimeoutError when it takes longer than `seconds`; for use inside a task.

    As `asyncio.timeout`, with two differences. A loop that was busy when the time was up gets as long again as it was
    late, once, before the block is ended: the answer may lie in the socket, unread. And a block that runs in a task
    which is being cancelled (a `finally`) times out like any other: early releases of Python 3.11 cancelled it instead.
    """

    __slots__ = ("_cancelling", "_deadline", "_excused", "_expired", "_handle", "_loop", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._excused = False
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a time limit holds inside a task only")
        self._task = task
        self._cancelling = task.cancelling()
        self._loop = asyncio.get_running_loop()
        # Not the loop's own time: that of uvloop stands still between two wakings.
        self._deadline = time.monotonic() + self._seconds
        self._handle = self._loop.call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if not self._expired:
            return
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError(f"no answer within {self._seconds * 1_000:g} ms") from error

    def _expire(self) -> None:
        late = time.monotonic() - self._deadline
        if late > _PUNCTUAL_S and not self._excused:
            self._excused = True
            self._handle = self._loop.call_later(min(late, self._seconds), self._expire)
        else:
            self._expired = True
            self._task.cancel()
