from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET

import pytest

from harness.report.context import Bar, Line, Percentiles, Picture, Ratios
from harness.report.figures import clean, svg
from harness.stats.estimate import Estimate


def estimate(point: float, n: int = 6) -> Estimate:
    if n < 2:
        return Estimate(point=point, low=0.0, high=math.inf, level=0.95, n=n)
    return Estimate(point=point, low=point * 0.97, high=point * 1.03, level=0.95, n=n)


def ratios(*labels: str, n: int = 6) -> Picture:
    bars = tuple(
        Bar(label=label, ratio=estimate(1.0 + index / 10, n), level=estimate(1_000.0 + index, n))
        for index, label in enumerate(labels)
    )
    chart = Ratios(bars=bars, ratio_title="to the reference", level_title="messages/s")
    return Picture(id="p", title="A <title>", description="B & about", chart=chart)


def percentiles(*lines: Line) -> Picture:
    return Picture(id="q", title="t", description="d", chart=Percentiles(lines=lines, level_title="latency, µs"))


def line(label: str, at_least: float) -> Line:
    return Line(label=label, points=tuple((q, estimate(at_least / (1 - q))) for q in (0.5, 0.9, 0.99)))


def all_text(drawn: str) -> str:
    return " ".join("".join(element.itertext()) for element in ET.fromstring(drawn).iter())  # noqa: S314 - our own file


@pytest.mark.parametrize("is_narrow", [False, True])
def test_a_picture_is_whole_xml_with_text_as_text(is_narrow: bool) -> None:  # noqa: FBT001 - a table
    drawn = svg(ratios("asyncio+json+none", "uvloop"), is_narrow=is_narrow)
    text = all_text(drawn)
    assert "asyncio+json+none" in text
    assert "1.10x" in text
    assert "A <title>" in text
    assert "B & about" in text


def test_colours_and_fonts_are_those_of_the_page() -> None:
    drawn = svg(ratios("a"))
    assert "var(--accent)" in drawn or "var(--muted)" in drawn
    assert "#0" not in drawn.replace('href="#', "")
    assert "DejaVu" not in drawn


def test_wide_and_narrow_share_no_id() -> None:
    one, other = svg(ratios("a")), svg(ratios("a"), is_narrow=True)
    ids = [{element.get("id") for element in ET.fromstring(drawn).iter()} - {None} for drawn in (one, other)]  # noqa: S314 - our own file
    assert ids[0].isdisjoint(ids[1])


def test_the_same_data_gives_the_same_bytes() -> None:
    picture = percentiles(line("Before", 10.0), line("After", 9.9))
    assert svg(picture) == svg(picture)


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "$x_1$ \\frac", "\u202eabc", "\u6f22\u5b57", "x" * 500])
def test_a_hostile_label_is_drawn_as_text_and_kept_short(label: str) -> None:
    drawn = svg(ratios(label))
    assert "<script" not in drawn
    assert clean(label) in all_text(drawn)
    assert len(clean(label)) <= 40


def test_bars_without_an_interval_are_left_out_and_no_crash() -> None:
    assert "1.00x" not in all_text(svg(ratios("a", n=1)))
    empty = Ratios(bars=(Bar(label="a", ratio=None, level=None),), ratio_title="r", level_title="l")
    assert "a" in all_text(svg(Picture(id="p", title="t", description="d", chart=empty)))


def test_names_of_lines_that_end_together_do_not_lie_on_each_other() -> None:
    drawn = svg(percentiles(line("Before", 10.0), line("After", 10.001), line("Third", 10.002)))
    heights = [
        float(element.get("y", "0"))
        for element in ET.fromstring(drawn).iter("text")  # noqa: S314 - our own file
        if (element.text or "").strip() in {"Before", "After", "Third"}
    ]
    assert len(heights) == 3
    ordered = sorted(heights)
    assert min(after - before for before, after in itertools.pairwise(ordered)) > 8
