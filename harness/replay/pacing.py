"""When a frame is due, how to wait for that moment, and how late it was.

All times are `time.monotonic_ns`, which on Linux is one clock for all processes of a boot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from harness.units import NS_PER_MS, NS_PER_S, NS_PER_US, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.clock import Clock

#: A sleep may end this late on a busy machine; what is left is spun away.
SPIN_NS: Final = NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, and how much. Neither `speed` nor `rate`: a flood, as fast as clients read."""

    speed: float | None = None
    """Times the recorded pace."""
    rate: float | None = None
    """Frames per second, evenly, whatever was recorded."""
    market_frames: int | None = None
    """Cut the tape after its n-th market frame; None is all of it."""

    @property
    def floods(self) -> bool:
        """Whether there is no schedule."""
        return self.speed is None and self.rate is None

    def due_ns(self, at_ns: NDArray[np.int64], before: int = 0) -> NDArray[np.int64]:
        """When each frame is due after the start, in ns; `before` frames came earlier. As recorded for a flood."""
        if self.rate is not None:
            return since_start((np.arange(len(at_ns)) + before) * NS_PER_S, self.rate)
        return since_start(at_ns, self.speed or 1.0)


class Attention(Protocol):
    """What ends a wait before its time; `threading.Event` fits."""

    def is_set(self) -> bool:
        """Whether something has happened."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep for so many seconds, or until something happens."""
        ...


def since_start(at_ns: NDArray[np.int64], speed: float) -> NDArray[np.int64]:
    """When each frame is due after the start at `speed` times the recorded pace: at / speed, to the nanosecond."""
    return np.rint(at_ns / speed).astype(np.int64)


def wait_until(due_ns: int, clock: Clock, attention: Attention) -> Nanoseconds:
    """The time at which it returned: not before `due_ns`, unless something wants attention.

    It sleeps until a millisecond before and spins the rest: a sleep alone is late by 50 us and more.
    """
    now = clock.now()
    while now < due_ns and not attention.is_set():
        rest = due_ns - now
        if rest > SPIN_NS:
            attention.wait((rest - SPIN_NS) / NS_PER_S)
        now = clock.now()
    return now


class SendLog(NamedTuple):
    """For each data frame of one connection, by position: when it was due, and when it was handed to the system.

    Frames that were due together are handed over together and share the moment, which is taken before the call.
    """

    scheduled_ns: NDArray[np.int64]
    sent_ns: NDArray[np.int64]

    def write(self, path: Path) -> None:
        """As a NumPy file of two rows of int64: scheduled, sent."""
        with path.open("wb") as file:  # by name, np.save would append a suffix
            np.save(file, np.stack(self))

    @classmethod
    def joined(cls, logs: Sequence[SendLog]) -> SendLog:
        """Consecutive logs of one connection as one."""
        empty = np.empty(0, np.int64)
        return cls(
            np.concatenate([empty, *(log.scheduled_ns for log in logs)]),
            np.concatenate([empty, *(log.sent_ns for log in logs)]),
        )

    @classmethod
    def read(cls, path: Path) -> SendLog:
        """The log that `write` left; raises OSError or ValueError for anything else."""
        rows = np.load(path, allow_pickle=False)
        if rows.dtype != np.int64 or rows.ndim != 2 or rows.shape[0] != 2:
            raise ValueError(f"{path} is not a send log of two rows of 64-bit integers")
        return cls(rows[0], rows[1])


class Lateness(NamedTuple):
    """How late frames were sent, in microseconds."""

    p50: float
    p99: float
    max: float


def lateness_us(log: SendLog) -> Lateness:
    """Quantiles of sent minus scheduled, in microseconds; zeros for an empty log."""
    return quantiles_us(log.sent_ns - log.scheduled_ns)


def quantiles_us(late_ns: NDArray[np.int64]) -> Lateness:
    """Median, 99 % and most (linear interpolation) of times in ns, in microseconds; zeros for none."""
    if not len(late_ns):
        return Lateness(0.0, 0.0, 0.0)
    p50, p99, most = np.quantile(late_ns / NS_PER_US, (0.5, 0.99, 1.0)).tolist()
    return Lateness(round(p50, 3), round(p99, 3), round(most, 3))
