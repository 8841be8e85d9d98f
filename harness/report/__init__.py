"""The report, from a result alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.results.store import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from harness.results.model import Result

HTML = "report.html"
MARKDOWN = "report.md"


def write(result: Result, folder: Path) -> Path:
    """Write report.html and report.md into the folder; returns the path of the HTML.

    Raises NotTrustworthy when the disk refuses.
    """
    return write_as(result, folder / HTML)


def write_as(result: Result, path: Path) -> Path:
    """As `write`, under another name; the Markdown stands beside it with the ending .md."""
    # Imported here: matplotlib and scipy cost a second that other commands need not pay.
    from harness.report.build import build  # noqa: PLC0415
    from harness.report.markdown import markdown  # noqa: PLC0415
    from harness.report.render import html  # noqa: PLC0415

    report = build(result)
    write_whole(path.with_suffix(".md"), markdown(report).encode())
    return write_whole(path, html(report).encode())
