from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.report.build import build
from harness.report.context import Table
from harness.report.markdown import escaped, markdown
from harness.results.model import Result

Made = Callable[..., Result]


def test_it_holds_every_table_of_the_page_with_equal_columns_in_every_row(made: Made) -> None:
    report = build(made(blocks=2))
    text = markdown(report)
    captions = [part.caption for section in report.sections for part in section.parts if isinstance(part, Table)]
    assert all(f"**{escaped(caption)}**" in text for caption in captions)
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_it_opens_with_the_status(made: Made) -> None:
    assert "**Incomplete run: interrupted in block 3**" in markdown(build(made(complete=False)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get_trade_count", "get_trade_count"),
        ("_x_ *y*", r"\_x\_ \*y\*"),
        ("a|b", r"a\|b"),
        ("<b>", "&lt;b&gt;"),
        ("[a](b)", r"[a\](b)"),
        ("[1, 2]", "[1, 2]"),
        ("two\nlines", "two lines"),
        ("`code`", r"\`code\`"),
    ],
)
def test_nothing_in_a_name_is_acted_upon(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_hostile_names_leave_no_tag(hostile_result: Result) -> None:
    assert not re.search(r"(?<!\\)<[a-z/]", markdown(build(hostile_result)))


def test_a_smoke_run_shows_no_speed(made: Made) -> None:
    assert not re.search(r"messages/s|µs|[\d.]+x \[", markdown(build(made(profile="smoke"))))
