from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.recordings.calibration import FIGURES, RANGES, Finding, check
from harness.recordings.format import Header, Recording, load
from harness.recordings.importers import import_raw
from harness.recordings.statistics import describe

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Recording]


def test_every_figure_has_a_range_in_both_markets_and_no_range_is_empty() -> None:
    for market in ("spot", "usdm"):
        ranges = [each for each in RANGES if each.market == market]
        assert [each.figure for each in ranges] == list(FIGURES)
        assert all(each.low <= each.high and each.measured for each in ranges)


def test_both_ends_of_a_range_are_in_it() -> None:
    def ok(value: float) -> bool:
        return Finding(figure="x", value=value, low=1, high=2, measured="").ok

    assert [ok(value) for value in (0.99, 1, 2, 2.01)] == [False, True, True, False]


def test_what_a_recording_has_not_is_left_out(make: Make) -> None:
    found = check(describe(make([b'{"stream":"a@trade","data":{"e":"trade","s":"A"}}'] * 4)))
    names = {finding.figure for finding in found}
    assert "gaps: share below 1 ms" in names
    assert not {name for name in names if name.startswith(("depth", "aggTrade", "bookTicker", "mix"))}


def test_a_gap_in_a_sequence_is_out_of_its_range(make: Make, header: Header) -> None:
    bodies = [b'{"e":"depthUpdate","s":"A","U":%d,"u":%d,"pu":1,"b":[],"a":[]}' % (n, n) for n in (1, 3, 4)]
    recording = make(bodies, header=msgspec.structs.replace(header, market="usdm"))
    gaps = next(one for one in check(describe(recording)) if one.figure == "depth: sequence gaps")
    assert (gaps.value, gaps.ok) == (1, False)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("spot-10-symbols-2021-04", 33),
        ("spot-btc-eth-dot-kline-2021-04", 27),
        ("usdm-5-symbols-2021-04", 33),
    ],
)
def test_the_recordings_that_were_measured_lie_in_the_ranges(
    shared: Path, tmp_path: Path, name: str, figures: int
) -> None:
    import_raw(shared / f"{name}.raw", tmp_path / "real.jsonl")
    found = check(describe(load(tmp_path / "real.jsonl")))
    assert [finding for finding in found if not finding.ok] == []
    assert len(found) == figures
