"""What is served as one HTML document: no script, no picture, no request to anywhere but back to here."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import harness
from harness.replay.side.words import count, duration, masked, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.recordings.format import Source
    from harness.replay.audience import Listing
    from harness.replay.side.showing import About, Counts, Showing
    from harness.replay.stage import StageStatus, State

#: The side door's own corner; no path of Binance begins so.
ROOT: Final = "/tickproof"
_TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

#: Nothing may be loaded but the style that stands in the page, and its forms are sent to nobody else.
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),  # with `no-referrer` a form's Origin is `null`, and would be refused
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
CONTENT_TYPE: Final = "text/html; charset=utf-8"
#: The page asks to be loaded again after so long.
REFRESH_S: Final = 5
#: A table has no more rows than this.
MOST_ROWS: Final = 100
_MOST_CHARACTERS: Final = 300

_HEADLINES: Final[Mapping[State, str]] = {
    "waiting": "Waiting for a first client",
    "held": "Held until it is told to start",
    "playing": "Playing",
    "paused": "Paused",
    "ended": "At the end, until clients have read all",
}
_ORIGINS: Final[Mapping[Source, str]] = {
    "captured": "Captured from live streams.",
    "generated": "Generated: this traffic was made up by a program and never was on an exchange.",
    "imported": "Imported from files of another format.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A connection in the table."""

    number: int
    path: str
    open: bool
    account: bool
    streams: int
    frames: int
    behind: int
    """Frames of the recording that are due and were not handed over, the client's own or not."""


class Page:
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
        environment.filters.update(count=count, duration=duration)
        self._template = environment.get_template("page.html.j2")

    def render(self, shown: Showing, listings: Sequence[Listing], *, still: bool = False) -> bytes:
        """The page, UTF-8; one that stands still is not loaded again by itself."""
        newest = sorted(listings, key=lambda one: (not one.open, -one.number))[:MOST_ROWS]
        page = self._template.render(
            about=shown.about,
            connections=[_row(one, shown.stage) for one in newest],
            counts=shown.counts,
            faults=[_fault(one) for one in shown.about.faults[:MOST_ROWS]],
            headline=_HEADLINES[shown.stage.state],
            more_connections=len(listings) - len(newest),
            most=MOST_ROWS,
            origin=_ORIGINS[shown.about.source],
            refresh=REFRESH_S,
            root=ROOT,
            stage=shown.stage,
            streams=sorted(shown.about.streams)[:MOST_ROWS],
            still=still,
            style=Markup(_STYLE),  # noqa: S704 - our own file
            tick_to_order=shown.tick_to_order,
            urls=_urls(shown.about, shown.counts),
            version=harness.__version__,
        )
        return page.encode()


def _row(listing: Listing, stage: StageStatus) -> _Row:
    last = listing.stretches[-1]
    behind = (stage.turn - last.turn) * stage.frames + stage.place - last.end
    return _Row(
        number=listing.number,
        path=masked(listing.path),
        open=listing.open,
        account=listing.account,
        streams=len(last.selection.streams),
        frames=listing.frames,
        behind=max(0, behind),
    )


def _fault(fault: Mapping[str, object]) -> dict[str, str]:
    rest = (f"{name} {value}" for name, value in fault.items() if name not in {"frame", "kind"})
    frame = fault.get("frame")
    return {
        "frame": count(frame) if isinstance(frame, int) else "-",
        "kind": str(fault.get("kind", "-")),
        "how": ", ".join(rest),
    }


def _urls(about: About, counts: Counts) -> list[tuple[str, str]]:
    found = []
    for root in filter(None, (counts.url, counts.tls_url)):
        if about.streams:
            found.append(("several, combined", f"{root}/stream?streams={'/'.join(about.streams[:2])}"))
            found.append(("one stream, bare", f"{root}/ws/{about.streams[0]}"))
        if about.account or counts.orders is not None:
            found.append(("account" if counts.orders is None else "account and orders", f"{root}/ws-api/v3"))
        found.append(("REST", f"{root.replace('ws', 'http', 1)}/{'fapi/v1' if about.market == 'usdm' else 'api/v3'}"))
    return found


def _clean(value: Any) -> Any:
    return plain(value, most=_MOST_CHARACTERS) if type(value) is str else value
