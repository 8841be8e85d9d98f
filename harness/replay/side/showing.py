"""What the side door shows of a replay at one moment, and who puts it together."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeGuard, TypeVar

import msgspec

from harness.replay.side.words import plain
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.clock import Clock
    from harness.recordings.format import Market, Recording, Source
    from harness.replay.audience import Listing
    from harness.replay.orders.latency import TickToOrder
    from harness.replay.pacing import Lateness, Pace
    from harness.replay.stage import Stage, StageStatus

#: What costs time to work out is shown for so long before it is worked out again.
FRESH_NS: Final = Nanoseconds(NS_PER_S)
#: More of a name or title is not shown.
_MOST_CHARACTERS: Final = 300
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is served, as it was settled at the start."""

    recording: str
    title: str
    market: Market
    source: Source
    """captured, generated or imported."""
    sha256: str
    """Of the recording's text."""
    pace: str
    """In words: a flood, times the recorded pace, or frames per second."""
    loops: bool = False
    streams: tuple[str, ...] = ()
    """All that the recording has frames of."""
    account: bool = False
    """Whether the recording has account events."""
    faults: tuple[dict[str, object], ...] = ()
    """All that are planned, resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What others count at one moment, and where they are reached; None for what is not counted."""

    url: str
    """`ws://host:port`, without a path."""
    tls_url: str | None = None
    """`wss://host:port`, where TLS is spoken too."""
    open_connections: int
    """All, HTTP among them."""
    accepted_connections: int | None = None
    refused_connections: int | None = None
    """On purpose."""
    faults_happened: int = 0
    """On the line, since the last rewind."""
    orders: int | None = None
    """Accepted; None where none are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What the page, the metrics and `GET /tickproof/state` are made of."""

    about: About
    stage: StageStatus
    counts: Counts
    tick_to_order: TickToOrder | None

    def json(self) -> bytes:
        """All of it as one flat object: the names of its parts differ."""
        parts = (self.stage, self.about, self.counts)
        flat = {name: value for part in parts for name, value in msgspec.to_builtins(part).items()}
        return msgspec.json.encode({**flat, "tick_to_order": self.tick_to_order})


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_T]):
    value: _T
    at: Nanoseconds


class Shower:
    """Looks at one replay; from any thread."""

    def __init__(
        self,
        about: About,
        stage: Stage,
        counts: Callable[[], Counts],
        *,
        clock: Clock,
        tick_to_order: Callable[[], TickToOrder | None] = lambda: None,
    ) -> None:
        """`counts` is asked each time and must be quick; `tick_to_order` at most once a second."""
        self._about = about
        self._stage = stage
        self._counts = counts
        self._clock = clock
        self._ask_tick_to_order = tick_to_order
        self._looking = threading.Lock()
        self._tick_to_order: _Kept[TickToOrder | None] | None = None
        self._lateness: _Kept[Lateness] | None = None
        self._recent: _Kept[Showing] | None = None

    def showing(self) -> Showing:
        """The replay as it is at this moment; its lateness and tick-to-order may be a second old."""
        with self._looking:
            return self._take(self._clock.now())

    def recent(self) -> Showing:
        """The replay as it was within the last second: for whoever asks again and again."""
        with self._looking:
            now = self._clock.now()
            return self._recent.value if _is_fresh(self._recent, now) else self._take(now)

    def forget(self) -> None:
        """Something was changed: what was shown until now is `recent` no more."""
        with self._looking:
            self._recent = None

    def listings(self) -> list[Listing]:
        """All connections that have or had subscribed, in the order in which they came, each once."""
        # One that ends in the middle of the look is seen twice: as it was, and as ended.
        by_number: dict[int, Listing] = {}
        for listing in self._stage.listings():
            if listing.number not in by_number or not listing.open:
                by_number[listing.number] = listing
        return list(by_number.values())

    def _take(self, now: Nanoseconds) -> Showing:
        if not _is_fresh(self._tick_to_order, now):
            self._tick_to_order = _Kept(self._ask_tick_to_order(), now)
        if not _is_fresh(self._lateness, now):
            self._lateness = _Kept(self._stage.lateness(), now)
        showing = Showing(
            about=self._about,
            stage=self._stage.status(self._lateness.value),
            counts=self._counts(),
            tick_to_order=self._tick_to_order.value,
        )
        self._recent = _Kept(showing, now)
        return showing


def about(
    recording: Recording,
    streams: Sequence[str],
    pace: Pace,
    *,
    account: bool,
    loops: bool = False,
    faults: Sequence[dict[str, object]] = (),
) -> About:
    """What is to be said of a recording that is served; `streams` and `account` are of its tape."""
    header = recording.header
    return About(
        recording=plain(recording.name, most=_MOST_CHARACTERS),
        title=plain(header.title, most=_MOST_CHARACTERS),
        market=header.market,
        source=header.source,
        sha256=recording.sha256,
        pace=pace_in_words(pace),
        loops=loops,
        streams=tuple(streams),
        account=account,
        faults=tuple(faults),
    )


def pace_in_words(pace: Pace) -> str:
    """How fast: `as recorded`, `4 times the recorded pace`, `1,000 frames a second`, or `a flood`."""
    if pace.floods:
        return "a flood, as fast as each client reads"
    if pace.rate is not None:
        return f"{pace.rate:,.10g} frames a second, evenly"
    return "as recorded" if pace.speed == 1 else f"{pace.speed:,.10g} times the recorded pace"


def _is_fresh(kept: _Kept[_T] | None, now: Nanoseconds) -> TypeGuard[_Kept[_T]]:
    return kept is not None and now - kept.at < FRESH_NS
