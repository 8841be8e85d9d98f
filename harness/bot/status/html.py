"""The status page as one HTML document: no script, no picture, no request to anywhere."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.bot.status.log_lines import plain
from harness.bot.status.snapshot import State

if TYPE_CHECKING:
    from harness.bot.status.snapshot import Snapshot

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "status.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

#: Nothing may be loaded but the style that stands in the page, and the page may not be framed or send anything.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: The page asks to be loaded again after so long.
REFRESH_S = 5
#: A table has no more rows than this.
MOST_ROWS = 100
_MOST_CHARACTERS = 300

_HEADLINES = {
    State.STARTING: "Starting",
    State.TRADING: "Trading on paper",
    State.PAUSED: "Paused",
    State.DISCONNECTED: "Disconnected from the market",
    State.OUTAGE: "Trading on paper, database away",
    State.STOPPING: "Stopping",
}
_UNITS_S = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


class StatusHtml:
    """The template, read once."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_clean,
        )
        environment.filters.update(
            amount=amount,
            breakable=breakable,
            count=count,
            duration=duration,
            moment=moment,
            share=share,
            signed=signed,
            span=span,
        )
        self._template = environment.get_template("status.html.j2")

    def render(self, snapshot: Snapshot) -> bytes:
        """The page, UTF-8."""
        page = self._template.render(
            bot=snapshot,
            headline=_HEADLINES[snapshot.state],
            most=MOST_ROWS,
            refresh=REFRESH_S,
            style=Markup(_STYLE),  # noqa: S704 - our own file
        )
        return page.encode()


def count(value: float) -> str:
    """`12,345,678`; one decimal where there is a fraction."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def duration(seconds: float) -> str:
    """Three digits in the unit that suits: `21.4 µs`, `1.50 ms`, `0 s`."""
    if seconds <= 0:
        return "0\u00a0s"
    scale, unit = next(((scale, unit) for scale, unit in _UNITS_S if seconds >= scale), _UNITS_S[-1])
    value = seconds / scale
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}\u00a0{unit}"


def span(seconds: float) -> str:
    """The two largest units: `1 d 2 h`, `3 min 20 s`."""
    rest = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        whole, rest = divmod(rest, size)
        if whole or parts or unit == "s":
            parts.append(f"{whole}\u00a0{unit}")
    return " ".join(parts[:2])


def moment(seconds: float) -> str:
    """`2026-11-24 16:47:12` in UTC; `-` for none and for a time that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if seconds > 0 else "-"
    except (ValueError, OverflowError, OSError):
        return "-"


def share(value: float) -> str:
    """`90.0 %`."""
    return f"{100 * value:.1f}\u00a0%"


def amount(value: Decimal) -> str:
    """All digits that say something: `0.016`, `61,234.56`."""
    told = f"{value:,f}"
    return (told.rstrip("0").rstrip(".") or "0") if "." in told else told


def signed(value: Decimal) -> str:
    """Money with its sign and two decimals: `+0.08`, `-4.48`, `0.00`."""
    told = value.quantize(Decimal("0.01")) if abs(value) < Decimal("1e20") else value
    return f"{told:+,f}".replace("-", "\u2212") if told else "0.00"


def breakable(text: str) -> Markup:
    """A dotted name that may go on in a new line after each dot."""
    return Markup(".<wbr>").join(_clean(text).split("."))


def _clean(value: Any) -> Any:
    return plain(value, most=_MOST_CHARACTERS) if type(value) is str else value
