from __future__ import annotations

from collections.abc import Callable

from harness.report.text import summary
from harness.results.model import Result

Made = Callable[..., Result]


def test_it_holds_the_before_and_after_table_and_a_line_for_each_upgrade(made: Made) -> None:
    short = summary(made())
    assert [table.title for table in short.tables] == [
        "Before and after, component by component",
        "Levels on this host, with their 95 % intervals",
    ]
    assert [line.word for line in short.verdicts] == ["adopt", "adopt", "adopt"]
    assert short.verdicts[0].text.startswith("1.05x [1.04, 1.06] messages/s")


def test_every_row_has_a_cell_for_every_column(made: Made) -> None:
    for table in summary(made(blocks=2)).tables:
        assert {len(row) for row in table.rows} == {len(table.columns)} == {len(table.is_numeric)}


def test_a_smoke_run_shows_equality_and_no_speed(made: Made) -> None:
    short = summary(made(profile="smoke"))
    assert short.headline == "Not a measurement: this run proves equal outputs only"
    assert short.verdicts == ()
    assert next(table.columns for table in short.tables) == ("Arm", "Outputs", "Digest", "Trials", "Decisions")
