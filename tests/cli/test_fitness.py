from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.recordings.format import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ended


def test_the_replay_is_measured_by_floods_rates_and_crowds(tickproof: Callable[..., Ended], tmp_path: Path) -> None:
    recording = tmp_path / "short.jsonl"
    assert tickproof("recording", "generate", str(recording), "--seconds", "20").status == 0
    arguments = ("--repeats", "1", "--rate", "500", "--crowd", "3", "--seconds", "1", "--speed", "4")
    ended = tickproof("replay", "measure", str(recording), *arguments, "--json")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    frames = sum(frame.connection == "market" for frame in load(recording).frames)
    assert found["ceiling"]["frames"] == frames
    assert len(found["ceiling"]["counting_frames_per_s"]) == 1
    (rated,) = found["rates"]
    assert (rated["frames_per_s"], rated["frames"]) == (500, 500)
    (crowded,) = found["crowds"]
    assert crowded["clients"] == 3
    assert crowded["frames"] % 3 == 0
    assert crowded["frames"] > 300
    for late in (rated["lateness_us"], crowded["lateness_us"]):
        assert 0 <= late[0] <= late[1] <= late[2]
