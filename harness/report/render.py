"""The report as one HTML file that needs nothing else: no script, no font, no request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report import figures
from harness.report.context import Absent, Commands, Facts, Mark, Number, Paragraph, Picture, Report, Table, Text

_TEMPLATES = Path(__file__).parent / "templates"

#: What HTML may not hold, and the controls that turn the direction of all text after them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

#: An interval is one word: it does not break over two lines.
_INTERVAL = re.compile(r"\[([-\d.,]+), ([-\d.,]+)\]")

_KINDS = {
    Text: "text",
    Number: "number",
    Absent: "absent",
    Mark: "mark",
    Paragraph: "paragraph",
    Table: "table",
    Picture: "picture",
    Facts: "facts",
    Commands: "commands",
}


def html(report: Report) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    environment.filters["kind"] = lambda value: _KINDS[type(value)]
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        report=report,
        style=Markup(style),  # noqa: S704 - our own file
        wide=lambda picture: _drawn(picture, is_narrow=False),
        narrow=lambda picture: _drawn(picture, is_narrow=True),
    )


def _drawn(picture: Picture, *, is_narrow: bool) -> Markup:
    return Markup(figures.svg(picture, is_narrow=is_narrow))  # noqa: S704 - matplotlib escapes what it is given


def _clean(value: Any) -> Any:
    if type(value) is not str:
        return value
    return _INTERVAL.sub("[\\1,\u00a0\\2]", _FORBIDDEN.sub("\ufffd", value))
