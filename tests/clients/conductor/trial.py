"""One client through all rounds."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor.comparison import Difference, compare, read_received
from conductor.plan import CHANNELS, rounds
from conductor.relay import Relay
from conductor.replay import Replay, ReplayFailed, subscribed
from conductor.talk import DriverFailed, DriverProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conductor.plan import Client, Round
    from harness.replay.tape import Tape

#: What `tickproof replay serve --tls` says that a client is to trust, in the folder for it.
_CERTIFICATE: Final = "replay-certificate.pem"
_FOLDER: Final = Path(__file__).resolve().parent.parent
#: Market frames of the recording that are played in a round, where it has enough for all of them.
FRAMES = 3_000
#: Times the recorded pace.
SPEED = 20.0
#: The whole of one client; then it is ended.
TRIAL_SECONDS = 300.0
_READY_SECONDS = 60.0
_ASK_SECONDS = 60.0
_SUBSCRIBED_SECONDS = 60.0
_PLAY_SECONDS = 60.0
#: After all was served: how long the last frame may take to reach the user, and how long nothing more may come.
ARRIVE_SECONDS = 20.0
_QUIET_SECONDS = 0.5
#: A client that closes has so long, and then again so long after each of so many stretches of frames.
_FAREWELL_SECONDS = 2.0
_FAREWELLS = 10


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a client."""

    client: Client
    versions: Mapping[str, str] = field(default_factory=dict)
    rounds: dict[str, Difference] = field(default_factory=dict)
    streams: int = 0
    parsed: bool = False
    """Compared by what the client made of each frame, since it does not hand over the text."""
    paths: list[str] = field(default_factory=list)
    """The paths of the connections that it opened, in their order."""
    notes: list[str] = field(default_factory=list)
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether every frame of every round arrived, once and in order."""
        return not self.failure and all(one.equal and one.served for one in self.rounds.values())


class Trial:
    """A client's driver, a replay of its own, and a relay between them that can be cut."""

    def __init__(
        self, client: Client, replay: Replay, relay: Relay, driver: DriverProcess, received: Path, *, patience: float
    ) -> None:
        self._patience = patience
        self._replay = replay
        self._relay = relay
        self._driver = driver
        self._received = received
        self._lines = 0
        self._frame = 0
        self._step = 0
        self._messages = 0
        self.outcome = Outcome(client=client)

    def run(self) -> Outcome:
        """All rounds, or as many as it gets through."""
        outcome = self.outcome
        try:
            outcome.versions = self._driver.ready(_READY_SECONDS)
            steps = rounds(symbols_of(self._replay.tape), remembers_all=outcome.client.remembers_all)
            self._step = min(FRAMES, self._replay.tape.market_frames // (len(steps) + 1))
            for one in steps:
                outcome.rounds[one.name] = self._round(one)
                outcome.streams = max(outcome.streams, len(one.wanted))
            self._driver.ask("close", seconds=_ASK_SECONDS)
        except (DriverFailed, ReplayFailed, ValueError) as error:
            outcome.failure = f"{type(error).__name__}: {error}"
        outcome.notes = self._driver.notes
        with contextlib.suppress(ReplayFailed):
            outcome.paths = [connection.path for connection in self._replay.connections()]
        return outcome

    def _round(self, one: Round) -> Difference:
        if one.cut:
            self._cut()
        elif one.closed:
            self._close()
        self._driver.ask(one.ask, one.streams, seconds=_ASK_SECONDS)
        self._await_streams(one.wanted)
        self._messages = self._driver.ask("count", seconds=_ASK_SECONDS)  # answers among them, which are not waited for
        first, end = self._play(self._step)
        served = [self._replay.served(connection, first, end) for connection in self._replay.connections()]
        self._await_messages(sum(map(len, served)))
        received = read_received(self._fresh_lines())
        self.outcome.parsed = received.parsed
        return compare(served, received)

    def _play(self, frames: int) -> tuple[int, int]:
        """The places on the tape that this took: the first, and the one behind the last."""
        first = self._replay.place_of(self._frame) + 1 if self._frame else 0
        self._frame += frames
        self._replay.play_to(self._frame, seconds=_PLAY_SECONDS)
        return first, self._replay.place_of(self._frame) + 1

    def _cut(self) -> None:
        before = {connection.number for connection in self._replay.connections() if connection.open}
        self._relay.cut()
        until = time.monotonic() + _SUBSCRIBED_SECONDS
        # The server hears of it a moment later; until then the streams seem to be subscribed still.
        while any(connection.open and connection.number in before for connection in self._replay.connections()):
            if time.monotonic() > until:
                raise ReplayFailed("connections that were cut are still open to the server")
            time.sleep(0.02)

    def _close(self) -> None:
        """Let the client close, and leave out what it receives meanwhile: some close with the next frame only."""
        self._driver.ask("close", seconds=_ASK_SECONDS)
        for _ in range(_FAREWELLS):
            with contextlib.suppress(DriverFailed):
                self._await_streams(frozenset(), seconds=_FAREWELL_SECONDS)
                break
            self._play(self._step // _FAREWELLS)
        self._await_streams(frozenset())
        self._await_messages(0)
        self._fresh_lines()

    def _await_streams(self, wanted: frozenset[str], seconds: float = _SUBSCRIBED_SECONDS) -> None:
        until = time.monotonic() + seconds
        while (there := subscribed(self._replay.connections())) != wanted:
            if time.monotonic() > until:
                raise DriverFailed(f"subscribed to {sorted(there)} instead of {sorted(wanted)}")
            self._driver.ask("count", seconds=_ASK_SECONDS)  # hears what it notes, and that it lives
            time.sleep(0.05)

    def _await_messages(self, count: int) -> None:
        """Return when nothing more comes, all of it or not."""
        began, quiet_since, last = time.monotonic(), time.monotonic(), -1
        while True:
            now = time.monotonic()
            messages = self._driver.ask("count", seconds=_ASK_SECONDS)
            if messages != last:
                last, quiet_since = messages, now
            enough = messages - self._messages >= count
            if now - quiet_since >= _QUIET_SECONDS and (enough or now - began >= self._patience):
                self._messages = messages
                return
            time.sleep(0.05)

    def _fresh_lines(self) -> list[str]:
        lines = self._received.read_text(encoding="utf-8").splitlines()
        fresh = lines[self._lines :]
        self._lines = len(lines)
        return fresh


def try_client(
    client: Client, python: Path, recording: str, scratch: Path, *, patience: float = ARRIVE_SECONDS
) -> Outcome:
    """Let a client go through all rounds; `patience` is for frames on their way, in seconds.

    Raises ReplayFailed when the server does not even start.
    """
    received = scratch / f"{client.name}.received"
    with ExitStack() as stack:
        tls_folder = scratch / "tls" if client.tls else None
        replay = stack.enter_context(
            Replay(recording, speed=SPEED, log=scratch / f"{client.name}.replay", tls_folder=tls_folder)
        )
        relay = stack.enter_context(Relay(replay.port if tls_folder is None else replay.tls_port))
        streams = f"ws://127.0.0.1:{relay.port}" if tls_folder is None else f"wss://localhost:{relay.port}"
        environ = {**_environ(), **client.environ}
        if tls_folder is not None:
            environ["SSL_CERT_FILE"] = str(tls_folder / _CERTIFICATE)
        argv = [str(python), "-m", f"drivers.{client.driver}", "--streams", streams]
        argv += ["--rest", f"http://127.0.0.1:{replay.port}", "--market", client.market, "--received", str(received)]
        driver = stack.enter_context(
            DriverProcess(
                argv, cwd=_FOLDER, env=environ, errors=scratch / f"{client.name}.errors", seconds=TRIAL_SECONDS
            )
        )
        return Trial(client, replay, relay, driver, received, patience=patience).run()


def symbols_of(tape: Tape) -> list[str]:
    """The symbols of the recording that have all channels, the busiest first. Raises ReplayFailed for less than two."""
    counts = Counter(tape.names[stream].partition("@")[0] for stream in tape.stream.tolist() if stream >= 0)
    names = set(tape.names)
    whole = [symbol for symbol, _ in counts.most_common() if {f"{symbol}@{channel}" for channel in CHANNELS} <= names]
    if len(whole) < 2:
        raise ReplayFailed("the recording has no two symbols with " + ", ".join(CHANNELS))
    return whole


def _environ() -> dict[str, str]:
    # What is asked for is on this machine: a proxy cannot reach it. Of Python's own settings none may leak in.
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("PYTHON")
    }
