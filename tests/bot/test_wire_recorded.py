"""Real recorded traffic, and the recording that ships: every frame is read, and read alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.registry import registry
from harness.bot.wire import Wire
from harness.exchange.events import BookTicker, DepthUpdate

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recordings.format import Recording

#: Frames by kind of stream, as TRAFFIC.md counts them.
KINDS = {
    "spot-10-symbols-2021-04": {"aggTrade": 1_240, "bookTicker": 5_408, "depth": 4_709},
    "usdm-5-symbols-2021-04": {"aggTrade": 574, "bookTicker": 3_424, "depth": 4_423},
}


def test_the_shipped_recording_is_read_whole_and_alike(shipped_frames: list[bytes], same_on_all_codecs: Any) -> None:
    events, counts = same_on_all_codecs(shipped_frames)
    assert None not in events
    assert counts == {}
    assert {event[0] for event in events} == {"aggTrade", "trade", "bookTicker", "kline", "miniTicker", "depth"}


def test_the_shipped_account_events_are_read_whole_and_alike(shipped: Recording, same_on_all_codecs: Any) -> None:
    frames = [frame.body for frame in shipped.frames if frame.connection == "user"]
    events, counts = same_on_all_codecs(frames, read="account_event")
    assert {event[0] for event in events} >= {"ExecutionReport", "AccountPosition"}
    assert counts == {}


@pytest.mark.shared
def test_every_real_frame_is_read_and_read_alike(real_frames: dict[str, list[bytes]], same_on_all_codecs: Any) -> None:
    for name, frames in real_frames.items():
        events, counts = same_on_all_codecs(frames)
        assert None not in events
        assert counts == {}
        if name in KINDS:
            assert Counter(event[0] for event in events) == KINDS[name]


@pytest.mark.shared
def test_times_and_ids_are_those_of_the_market(real_frames: dict[str, list[bytes]]) -> None:
    for market, has_time, has_previous in (
        ("spot-10-symbols-2021-04", False, False),
        ("usdm-5-symbols-2021-04", True, True),
    ):
        wire = Wire(registry().codec("msgspec"))
        for frame in real_frames[market]:
            _, _, event = wire.market_message(frame) or pytest.fail("a real frame was not read")
            if isinstance(event, BookTicker):
                assert (event.event_time > 0) == has_time
            if isinstance(event, DepthUpdate):
                assert (event.previous_id > 0) == has_previous
                assert 0 < event.first_id <= event.last_id


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "read", "taken", "unknown"),
    [
        ("usdm-public-2026", "market_message", 3, 3),
        ("usdm-market-2026", "market_message", 3, 6),
    ],
)
def test_the_market_shapes_of_2026_are_read_alike(
    file: str, read: str, taken: int, unknown: int, shared_recordings: Path, same_on_all_codecs: Any
) -> None:
    frames = (shared_recordings / "user-data" / f"{file}.jsonl").read_bytes().splitlines()
    events, counts = same_on_all_codecs(frames, read=read)
    assert len([event for event in events if event]) == taken
    assert counts == {"unknown_stream": unknown}


@pytest.mark.shared
def test_the_spot_account_events_of_2026_are_read_alike(shared_recordings: Path, same_on_all_codecs: Any) -> None:
    frames = (shared_recordings / "user-data" / "spot-user-data-2026.jsonl").read_bytes().splitlines()
    events, counts = same_on_all_codecs(frames, read="account_event")
    assert [event[0] for event in events] == ["AccountPosition", "BalanceUpdate", *["ExecutionReport"] * 3]
    assert counts == {}


@pytest.mark.shared
def test_the_account_events_of_futures_are_counted_as_unknown(shared_recordings: Path, same_on_all_codecs: Any) -> None:
    frames = (shared_recordings / "user-data" / "usdm-user-data-2026.jsonl").read_bytes().splitlines()
    events, counts = same_on_all_codecs(frames, read="account_event")
    assert events == [None] * len(frames)
    assert counts == {"unknown_account_event": len(frames)}
