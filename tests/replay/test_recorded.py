"""Real traffic through the real process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.sync.client import connect

from harness.recordings.format import load
from harness.recordings.importers import import_raw
from harness.replay.controller import ReplayProcess
from harness.replay.pacing import SendLog

if TYPE_CHECKING:
    from harness.recordings.format import Recording

RAW = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "cryptofeed"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RAW.is_dir(), reason="needs the recordings in ../shared/recordings"),
]


@pytest.fixture(params=["spot-10-symbols-2021-04", "usdm-5-symbols-2021-04", "spot-10-symbols-kline-2021"])
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Recording:
    target = tmp_path / f"{request.param}.jsonl"
    import_raw(RAW / f"{request.param}.raw", target)
    return load(target)


def test_recorded_traffic_arrives_byte_for_byte_in_flood_and_paced(recording: Recording, tmp_path: Path) -> None:
    expected = [frame.body for frame in recording.frames if frame.connection == "market"]
    log = tmp_path / "send.npy"
    with ReplayProcess.start(recording.path) as replay:
        assert replay.ready.market_frames == len(expected)
        for mode, frames in (("flood", None), ("paced", 200)):
            serving = replay.serve(
                mode="flood" if mode == "flood" else "paced",
                speed=20,
                frames=frames,
                log=log if mode == "paced" else None,
            )
            url = f"ws://127.0.0.1:{replay.port}/stream?streams={'/'.join(recording.header.streams)}"
            with connect(url, compression=None, proxy=None, max_size=None) as client:
                received = [message.encode() for message in client if isinstance(message, str)]
            assert received == expected[:frames]
            assert serving.wait(20).market_frames == len(received)
    assert len(SendLog.read(log).sent_ns) == 200
