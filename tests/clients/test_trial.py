"""A whole trial with the plainest of clients: what it receives is what was served, and what it swallows is found."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from conductor.plan import CHANNELS, CLIENTS, Client, rounds
from conductor.trial import try_client

from harness.recordings.format import Frame, Header, Writer
from harness.units import Nanoseconds

PLAIN = Client(name="websockets", driver="use_websockets", requirements="", market="spot")
SYMBOLS = ("btcusdt", "ethusdt")
FRAMES = 600
PYTHON = Path(sys.executable)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """Frames of two symbols on all channels; of a short second, so that a trial is not long."""
    streams = tuple(f"{symbol}@{channel}" for symbol in SYMBOLS for channel in CHANNELS)
    file = tmp_path / "small.jsonl"
    header = Header(market="spot", streams=streams, start_ms=1_790_000_000_000, source="generated", title="Two symbols")
    with Writer(file, header) as writer:
        for number in range(FRAMES):
            body = f'{{"stream":"{streams[number % len(streams)]}","data":{{"u":{number},"note":"\u00e9"}}}}'
            writer.write(Frame(Nanoseconds(number * 1_000_000), "market", body.encode()))
    return str(file)


def test_a_client_that_receives_everything_is_good(recording: str, tmp_path: Path) -> None:
    outcome = try_client(PLAIN, PYTHON, recording, tmp_path)
    assert outcome.failure == ""
    assert outcome.good
    served = {name: one.served for name, one in outcome.rounds.items()}
    # 100 frames a round: three of the first symbol, three of the second, and so on.
    assert served == {"opened": 51, "subscribed": 100, "unsubscribed": 51, "cut": 49, "again": 100}


def test_a_client_that_swallows_frames_is_found_out(recording: str, tmp_path: Path) -> None:
    sloppy = dataclasses.replace(PLAIN, environ={"DRIVER_DROPS": "50"})
    outcome = try_client(sloppy, PYTHON, recording, tmp_path, patience=0.5)
    assert outcome.failure == ""
    assert not outcome.good
    assert {name: one.missing for name, one in outcome.rounds.items()}["subscribed"] == 2


def test_a_driver_that_cannot_start_is_told_with_its_last_words(recording: str, tmp_path: Path) -> None:
    outcome = try_client(dataclasses.replace(PLAIN, driver="use_nothing"), PYTHON, recording, tmp_path)
    assert not outcome.good
    assert "No module named drivers.use_nothing" in outcome.failure


def test_every_client_has_a_driver_and_requirements() -> None:
    folder = Path(__file__).parent
    for client in CLIENTS:
        assert (folder / "drivers" / f"{client.driver}.py").is_file(), client.name
        assert (folder / "requirements" / f"{client.requirements}.txt").is_file(), client.name
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)


def test_a_client_that_remembers_all_is_expected_with_all_after_a_cut() -> None:
    cut = {remembers: rounds(SYMBOLS, remembers_all=remembers)[3] for remembers in (False, True)}
    assert {len(one.wanted) for one in cut.values()} == {3, 6}
    assert cut[False].streams == cut[True].streams
