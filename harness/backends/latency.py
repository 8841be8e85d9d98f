"""How long something took, over and over, in memory that does not grow."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.units import Nanoseconds

#: Bucket n holds what took less than 2**n ns and not less than 2**(n-1): the last one, 17 s and more.
BUCKETS = 36
#: Upper bounds in seconds of all buckets but the last.
BOUNDS_S = tuple((1 << number) / 1e9 for number in range(BUCKETS - 1))
_NS_PER_MS = 1e6


@dataclass(slots=True, kw_only=True)
class LatencyTally:
    """Count, total, largest, and a histogram whose buckets are powers of two nanoseconds."""

    count: int = 0
    total_ns: int = 0
    max_ns: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def record(self, elapsed_ns: int) -> None:
        """One more; a clock that went backwards counts as no time."""
        elapsed_ns = max(elapsed_ns, 0)
        self.count += 1
        self.total_ns += elapsed_ns
        self.max_ns = max(self.max_ns, elapsed_ns)
        self.buckets[min(elapsed_ns.bit_length(), BUCKETS - 1)] += 1

    @property
    def mean_ms(self) -> float:
        """Milliseconds; 0 when there was nothing."""
        return self.total_ns / self.count / _NS_PER_MS if self.count else 0.0

    @property
    def max_ms(self) -> float:
        """Milliseconds."""
        return self.max_ns / _NS_PER_MS

    def at_most_ns(self, share: float) -> Nanoseconds:
        """What that share (0 to 1) took at most, to the next power of two above, or the largest seen if that is less.

        0 when there was nothing. Raises ValueError for a share outside of 0 to 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"a share is from 0 to 1, not {share}")
        seen = 0
        for bucket, count in enumerate(self.buckets[:-1]):
            seen += count
            if seen and seen >= share * self.count:
                return Nanoseconds(min(1 << bucket, self.max_ns))
        return Nanoseconds(self.max_ns)
