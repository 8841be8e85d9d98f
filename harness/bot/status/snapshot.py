"""The bot at one moment, in plain numbers: what the status page shows and /metrics tells.

The shell of the bot fills it on the trading loop; nothing in it changes afterwards, so another thread may read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Whether the bot trades, and if not, what it waits for."""

    STARTING = "starting"
    TRADING = "trading"
    PAUSED = "paused"
    """A queue is full: the market connection is not read until it has emptied."""
    DISCONNECTED = "disconnected"
    """No market connection, or a silent one."""
    OUTAGE = "outage"
    """The database does not answer; decisions go to the journal."""
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Durations, counted in buckets."""

    bounds_s: tuple[float, ...]
    """Upper bounds of the buckets in seconds, rising, each included."""
    counts: tuple[int, ...]
    """How many fell into each bucket; one more than there are bounds, the last being all above."""
    total_s: float
    """Sum of all durations."""
    largest_s: float

    @property
    def count(self) -> int:
        """Of how many durations this is."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """Seconds that this share (0 to 1) did not exceed: a bucket's upper bound, so never too low; 0 for none."""
        wanted = max(1.0, share * self.count)
        for bound, below in zip((*self.bounds_s, self.largest_s), accumulate(self.counts), strict=True):
            if below >= wanted:
                return min(bound, self.largest_s)
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Market frames and the loop that handles them, as the monitor saw them."""

    frames: int
    rate: float
    """Frames a second over the last ten seconds."""
    mean_rate: float
    """Frames a second since the monitor was made."""
    handling: Distribution
    """From the moment a frame is handed over until all is decided. How long the exchange and the network took before
    is not known: their clocks are not ours."""
    lag: Distribution
    """By how much a sleeping task of the loop woke too late."""
    lag_last_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A bounded queue."""

    waiting: int
    peak: int
    """The most it ever held."""
    capacity: int = 0
    """What makes it full; 0 for not stated."""
    pauses: int = 0
    """How often it was full, and the market had to wait."""
    merged: int = 0
    """Market frames that gave way to newer ones of the same stream: conflation only, nothing else drops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFigures:
    """The cache since the start."""

    server: str
    """What answered, such as `Valkey 9.1.2`; empty for nothing."""
    away: bool
    """Not reachable now: the bot asks the database instead."""
    hits: int
    misses: int
    errors: int
    operations: int
    """Answered operations, whose duration was measured."""
    operations_s: float
    """Seconds that these took altogether."""
    slowest_s: float

    @property
    def hit_rate(self) -> float:
        """Hits among all answered look-ups, 0 to 1; 0 when there were none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 0.0

    @property
    def mean_s(self) -> float:
        """Mean seconds of an operation; 0 when there were none."""
        return self.operations_s / self.operations if self.operations else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFigures:
    """PostgreSQL since the start."""

    away: bool
    """Does not answer now."""
    queries: int
    errors: int
    outages: int
    """How often it went away."""
    pending: int
    """Decisions in the journal that are not yet in the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFigures:
    """An open position; money in the quote asset of its symbol."""

    symbol: str
    strategy: str
    quantity: Decimal
    """In the base asset."""
    entry_price: Decimal
    price: Decimal
    """What a sale would bring now: the best bid, else the last price."""
    unrealised: Decimal
    """Profit if sold at `price`, the fee of the entry taken off."""
    opened_s: float
    """Event time, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """A warning or an error of the log, redacted."""

    time_s: float
    """Wall clock, in seconds since 1970."""
    level: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that is shown of a running bot. Mappings are copied when it is made: the bot's own go on changing."""

    taken_s: float
    """Wall clock, in seconds since 1970."""
    started_s: float
    """As above."""
    version: str
    stack: str
    """As asked for: `uvloop+orjson+redis`."""
    active: Mapping[str, str]
    """By slot, what is really in use."""
    gc_policy: str
    market: str
    """Address of the market, without secrets."""
    state: State
    reason: str
    """Why it does not trade, in a sentence; empty when it does."""
    event_time_ms: int
    """The bot's own time: the largest event time seen, in ms since 1970; 0 before the first."""
    traffic: Traffic
    malformed: Mapping[str, int] = field(default_factory=dict)
    """Frames that could not be read, by kind."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Streams and events that nobody here reads, by kind."""
    reconnects: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    queues: Mapping[str, Queue] = field(default_factory=dict)
    """By name: `outbox`, `journal`, `gateway`, `conflation`."""
    cache: CacheFigures | None = None
    """None for a stack without one."""
    database: DatabaseFigures | None = None
    positions: tuple[PositionFigures, ...] = ()
    realised: Decimal = Decimal(0)
    """Profit of all closed trades, fees taken off; quote assets are added up as if they were one."""
    trades_opened: int = 0
    trades_closed: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Orders that risk refused, by name."""
    errors: tuple[ErrorLine, ...] = ()
    """The last ones, newest first."""

    def __post_init__(self) -> None:
        """Copy what may change, on the thread that makes it."""
        for name in ("active", "malformed", "unknown", "reconnects", "queues", "refusals"):
            object.__setattr__(self, name, dict(getattr(self, name)))

    @property
    def unrealised(self) -> Decimal:
        """Profit of all open positions if they were sold now."""
        return sum((position.unrealised for position in self.positions), Decimal(0))
