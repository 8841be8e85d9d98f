"""Replays with their side door, asked over real sockets; and what is shown of one that is made up."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from harness.replay.audience import Listing
from harness.replay.cursor import Stretch
from harness.replay.orders.latency import Delays, TickToOrder
from harness.replay.pacing import Lateness, Pace
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.side.showing import About, Counts, Showing
from harness.replay.stage import StageStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.replay.standing import Standing
    from harness.replay.tape import Tape


class Door:
    """A replay, and a client of its side door."""

    def __init__(self, standing: Standing, tape: Tape) -> None:
        self.standing = standing
        self.tape = tape
        self.url = standing.url
        self.http = httpx.Client(base_url=standing.url.replace("ws", "http", 1), timeout=20, trust_env=False)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get("/tickproof/state").raise_for_status().json()
        return found

    def connections(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/tickproof/connections").raise_for_status().json()
        return found

    def post(self, what: str, **body: object) -> None:
        self.http.post(f"/tickproof/{what}", json=body).raise_for_status()

    def wait(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The state, once it is so."""
        until = time.monotonic() + 20
        while not reached(found := self.state()):
            assert time.monotonic() < until, found
            time.sleep(0.002)
        return found

    def play_to(self, frame: int) -> None:
        """Play up to and with that market frame, and wait until it stands again."""
        self.post("start", until_frame=frame)
        self.wait(lambda state: state["state"] == "paused" and state["market_frame"] == frame)


@pytest.fixture
def open_door(stand: Callable[..., Standing], make_tape: Callable[..., Tape]) -> Iterator[Callable[..., Door]]:
    made: list[Door] = []

    def make(count: int = 120, step_ns: int = 1_000_000, pace: Pace | None = None, **options: Any) -> Door:
        tape = make_tape(count, step_ns)
        made.append(Door(stand(tape, pace or Pace(speed=100.0), **options), tape))
        return made[-1]

    yield make
    for one in made:
        one.http.close()


@pytest.fixture
def door(open_door: Callable[..., Door]) -> Door:
    """A replay that is held."""
    return open_door(hold=True)


@pytest.fixture(scope="session")
def showing_of() -> Callable[..., Showing]:
    """A busy replay; fields that are given stand in place of its own, in whichever part has them."""
    delays = Delays(count=812, p50_us=61.4, p90_us=88.0, p99_us=240.2, max_us=1_500.0)
    busy = Showing(
        about=About(
            recording="spot-30-symbols",
            title="Thirty symbols, five minutes",
            market="spot",
            source="generated",
            sha256="77428cc9b11e56c64b3843115cb1b0ffa08a7c4350ce60595e5e74e78306e311",
            pace="4 times the recorded pace",
            loops=True,
            streams=("ethusdt@bookTicker", "btcusdt@trade"),
            account=True,
            faults=({"kind": "cut", "frame": 20_000, "on": "market", "how": "reset"}, {"kind": "gap", "frame": 25_000}),
        ),
        stage=StageStatus(
            state="playing",
            turn=2,
            place=6_445,
            frames=88_916,
            market_frame=6_400,
            seconds=23.184,
            connections=3,
            lagging=1,
            sent_market_frames=1_234_567,
            sent_user_frames=45,
            lateness_us=Lateness(33.5, 420.1, 5_448.8),
        ),
        counts=Counts(
            url="ws://127.0.0.1:9443",
            tls_url="wss://localhost:9444",
            open_connections=4,
            accepted_connections=17,
            refused_connections=2,
            faults_happened=1,
            orders=812,
        ),
        tick_to_order=TickToOrder(named=delays, last=None, impossible=0),
    )

    def make(**fields: Any) -> Showing:
        parts = {name: getattr(busy, name) for name in ("about", "stage", "counts")}
        changed = {
            name: replace(part, **{key: value for key, value in fields.items() if hasattr(part, key)})
            for name, part in parts.items()
        }
        return Showing(**changed, tick_to_order=fields.get("tick_to_order", busy.tick_to_order))

    return make


@pytest.fixture(scope="session")
def listing_of() -> Callable[..., Listing]:
    """A connection as the stage lists it."""

    def make(number: int, path: str = "/ws/btcusdt@trade", *, is_open: bool = True, end: int = 6_445) -> Listing:
        selection = Selection(wrapping=Wrapping.RAW, streams=frozenset({"btcusdt@trade"}))
        stretches = [Stretch(turn=2, selection=selection, first=0, end=end)]
        return Listing(number=number, path=path, open=is_open, account=False, frames=1_234, stretches=stretches)

    return make
