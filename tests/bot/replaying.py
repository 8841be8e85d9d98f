"""A recording cut short, opened as a whole exchange within the test's own process."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any, Self

from harness.replay.opening import Choices, Opened
from harness.replay.pacing import Lateness, Pace

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recordings.format import Recording

_LOOK_S = 0.005
_PATIENCE_S = 30.0
_NOT_ASKED = Lateness(0.0, 0.0, 0.0)


def shortened(recording: Recording, market_frames: int) -> Recording:
    """The recording up to its so-manieth market frame, that included."""
    counted = 0
    for place, frame in enumerate(recording.frames):
        counted += frame.connection == "market"
        if counted == market_frames:
            return dataclasses.replace(recording, frames=recording.frames[: place + 1])
    return recording


def bodies(recording: Recording) -> list[bytes]:
    """Its market frames."""
    return [frame.body for frame in recording.frames if frame.connection == "market"]


class Replay:
    """A replay on a port of its own, for one bot; a context manager."""

    def __init__(self, recording: Recording, folder: Path, **choices: Any) -> None:
        self.recording = recording
        self.log = folder / "orders.jsonl"
        self.told: list[str] = []
        """What the replay noticed."""
        settled: dict[str, Any] = {"pace": Pace(), "orders": self.log, **choices}
        self.opened = Opened(recording, Choices(**settled), self.told.append)
        self._over = threading.Event()
        self._starters: list[threading.Thread] = []

    @property
    def market_url(self) -> str:
        """All of its streams."""
        return f"{self.opened.url}/stream?streams={'/'.join(self.recording.header.streams)}"

    @property
    def api_url(self) -> str:
        """Account and orders."""
        return f"{self.opened.url}/ws-api/v3"

    @property
    def rest_url(self) -> str:
        """The same port over HTTP."""
        return self.opened.url.replace("ws://", "http://")

    def start_when(self, connections: int, *, until_frame: int | None = None) -> None:
        """Have a replay that is held begin once it has so many connections to serve.

        With `until_frame` it stands still after that market frame, and nobody is told of an end.
        """
        stage = self.opened.standing.stage

        def start() -> None:
            while stage.status(_NOT_ASKED).connections < connections and not self._over.wait(_LOOK_S):
                pass
            stage.start(until_frame=until_frame)

        starter = threading.Thread(target=start, daemon=True)
        starter.start()
        self._starters.append(starter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.opened.close()
        for starter in self._starters:
            starter.join(_PATIENCE_S)
