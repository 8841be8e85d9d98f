"""What a message costs: real processes on a small sample; no figure is asserted, only what figures must be like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.bot.settings import BotSettings
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import MARKET, Writer, load
from harness.recordings.generate import find_profile, generate
from harness.recordings.importers import import_raw
from harness.run.cost import CostArm, Effort, measure, soak
from harness.run.cost_trial import ALL, DESK, LOADS, PIECES, TYPED
from harness.run.processes import TrialFailed

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Effort(blocks=2, frames=2_000, passes=2, seed=7)


def test_every_piece_has_a_value_a_block_for_the_mix_and_for_each_kind() -> None:
    done: list[int] = []
    arm = CostArm(codec="msgspec")
    found = measure(find(DEFAULT_RECORDING), [arm], SMALL, on_trial=lambda: done.append(1))[arm]
    events = {event for _, event in found.cells}
    assert {ALL, "bookTicker", "depth", "trade", "kline"} <= events
    assert found.cells.keys() == {(piece, event) for piece in PIECES for event in events}
    assert all(len(values) == 2 and min(values) > 0 for values in found.cells.values())
    assert sum(count for event, count in found.messages.items() if event != ALL) == pytest.approx(
        found.messages[ALL], abs=len(events)
    )
    assert len(done) == 2


def test_the_whole_costs_more_than_the_decoding_that_it_contains() -> None:
    arm = CostArm(codec="msgspec")
    found = measure(find(DEFAULT_RECORDING), [arm], SMALL)[arm]
    assert found.ratio(DESK, TYPED).point > 1.0
    assert found.ratio(DESK, LOADS).low <= found.ratio(DESK, LOADS).point <= found.ratio(DESK, LOADS).high


def test_streams_that_the_bot_does_not_read_cost_too(tmp_path: Path) -> None:
    target = tmp_path / "usdm.jsonl"
    generate(find_profile("usdm-10-symbols", duration_ms=2_000), target)
    arm = CostArm(codec="msgspec")
    effort = Effort(blocks=1, frames=2_000, passes=1, seed=7)
    found = measure(target, [arm], effort)[arm]
    assert (TYPED, "ticker") in found.cells
    assert found.messages["ticker"] > 0


def test_the_same_messages_are_spread_over_as_many_symbols_as_asked_for() -> None:
    few, many = CostArm(codec="msgspec", symbols=20), CostArm(codec="msgspec", symbols=200)
    effort = Effort(blocks=1, frames=2_000, passes=1, seed=7, pieces=(DESK,), by_event=False)
    found = measure(find(DEFAULT_RECORDING), [few, many], effort)
    assert found[few].messages == found[many].messages
    assert found[few].cells.keys() == {(DESK, ALL)}
    assert found[many].against(found[few], DESK).point > 0


@pytest.mark.shared
def test_with_the_book_on_a_recording_with_snapshots_keeps_its_books(shared_recordings: Path, tmp_path: Path) -> None:
    target = tmp_path / "kline.jsonl"
    import_raw(shared_recordings / "cryptofeed" / "spot-btc-eth-dot-kline-2021-04.raw", target)
    off, on = CostArm(codec="msgspec"), CostArm(codec="msgspec", book=True)
    effort = Effort(blocks=1, frames=4_000, passes=1, seed=7, pieces=(DESK,))
    found = measure(target, [off, on], effort)
    assert found[on].against(found[off], DESK, "depth").point > 1.0


def test_with_the_book_on_a_recording_without_snapshots_is_refused(tmp_path: Path) -> None:
    shipped = load(find(DEFAULT_RECORDING))
    with Writer(tmp_path / "bare.jsonl", shipped.header) as writer:
        for frame in [frame for frame in shipped.frames if frame.connection == MARKET][:3_000]:
            writer.write(frame)
    with pytest.raises(TrialFailed, match="holds no depth snapshot of"):
        measure(tmp_path / "bare.jsonl", [CostArm(codec="msgspec", book=True)], SMALL)


def test_a_soak_tells_the_memory_after_each_part() -> None:
    values = soak(find(DEFAULT_RECORDING), "msgspec", messages=20_000, every=5_000)
    assert len(values) == 4
    assert min(values) > 10_000_000


def test_no_block_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one block"):
        measure(find(DEFAULT_RECORDING), [CostArm(codec="json")], Effort(blocks=0, frames=1, passes=1, seed=1))


def test_the_defaults_keep_no_book() -> None:
    assert BotSettings().book is False
