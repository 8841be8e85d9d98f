"""The replay's own side door, beside what Binance answers: where it is, what it sent, and how to move it.

All below `/tickproof`, which no path of Binance begins with. Who may ask is decided before (rest/guards.py): loopback
names only, and no page of another origin may change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from harness.replay.rest.http import HttpAnswer, HttpRequest
from harness.replay.side.exposition import CONTENT_TYPE, Exposition
from harness.replay.side.page import CONTENT_TYPE as HTML
from harness.replay.side.page import HEADERS, ROOT, Page
from harness.replay.side.requests import BadBody, Pause, Seek, Start, prefers_html, read_body
from harness.replay.side.words import masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.audience import Listing
    from harness.replay.cursor import Stretch
    from harness.replay.side.showing import Shower
    from harness.replay.stage import Stage


class StretchShown(msgspec.Struct, frozen=True, kw_only=True):
    """All frames of some streams at the places `first` to `end` (exclusive) of a turn's tape were handed over."""

    turn: int
    wrapping: str
    streams: list[str]
    account: bool
    first: int
    end: int


class ConnectionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that has or had subscribed."""

    number: int
    path: str
    """Of its first request, listen keys masked."""
    open: bool
    frames: int
    """Data frames handed over."""
    sent: list[StretchShown]


class Control:
    """Answers what is asked below `/tickproof`; from any thread."""

    def __init__(self, shower: Shower, stage: Stage) -> None:
        self._shower = shower
        self._stage = stage
        self._page = Page()
        exposition = Exposition(shower.recent)
        self._routes: Final[dict[tuple[str, str], Callable[[HttpRequest], HttpAnswer]]] = {
            ("GET", ""): self._shown,
            ("GET", "/state"): lambda _: _json(shower.showing().json()),
            ("GET", "/connections"): lambda _: _json(msgspec.json.encode([_shown(one) for one in shower.listings()])),
            ("GET", "/metrics"): lambda _: _fresh(exposition.text(), CONTENT_TYPE),
            ("POST", "/start"): self._start,
            ("POST", "/pause"): self._pause,
            ("POST", "/seek"): self._seek,
        }

    def answer(self, request: HttpRequest, _now_ns: int) -> HttpAnswer | None:
        """The answer; None for what is not asked of it."""
        if request.path != ROOT and not request.path.startswith(f"{ROOT}/"):
            return None
        path = request.path.removeprefix(ROOT).rstrip("/")
        found = self._routes.get((request.method, path))
        if found is None:
            return self._unknown(path)
        try:
            return found(request)
        except BadBody as error:
            return _said(400, str(error))

    def _unknown(self, path: str) -> HttpAnswer:
        allowed = sorted(method for method, known in self._routes if known == path)
        if not allowed:
            return _said(404, f"no such page; known: {', '.join(sorted({ROOT + known for _, known in self._routes}))}")
        methods = [name for method in allowed for name in ((method, "HEAD") if method == "GET" else (method,))]
        return _said(405, f"use {' or '.join(allowed)}", ("Allow", ", ".join(methods)))

    def _shown(self, request: HttpRequest) -> HttpAnswer:
        # In this order: a client that keeps up is never behind what was due before it was looked at.
        shown, listings = self._shower.recent(), self._shower.listings()
        body = self._page.render(shown, listings, still="still" in request.query)
        return HttpAnswer(body=body, content_type=HTML, headers=HEADERS)

    def _start(self, request: HttpRequest) -> HttpAnswer:
        self._stage.start(until_frame=read_body(request, Start).until_frame)
        return self._moved(request)

    def _pause(self, request: HttpRequest) -> HttpAnswer:
        read_body(request, Pause)
        self._stage.pause()
        return self._moved(request)

    def _seek(self, request: HttpRequest) -> HttpAnswer:
        wanted = read_body(request, Seek)
        self._stage.seek(frame=wanted.frame, seconds=wanted.seconds)
        return self._moved(request)

    def _moved(self, request: HttpRequest) -> HttpAnswer:
        """The sending thread carries it out within milliseconds: this answer may still tell of the time before."""
        if prefers_html(request):
            answer = HttpAnswer(status=303, headers=(("Location", ROOT), *_NO_STORE))
        else:
            answer = _json(self._shower.showing().json())
        self._shower.forget()
        return answer


_NO_STORE: Final = (("Cache-Control", "no-store"),)


def _shown(listing: Listing) -> ConnectionShown:
    return ConnectionShown(
        number=listing.number,
        path=masked(listing.path),
        open=listing.open,
        frames=listing.frames,
        sent=[_stretch(stretch) for stretch in listing.stretches],
    )


def _stretch(stretch: Stretch) -> StretchShown:
    selection = stretch.selection
    return StretchShown(
        turn=stretch.turn,
        wrapping=selection.wrapping.value,
        streams=sorted(selection.streams),
        account=selection.account,
        first=stretch.first,
        end=stretch.end,
    )


def _json(body: bytes) -> HttpAnswer:
    return HttpAnswer(body=body, headers=_NO_STORE)


def _fresh(body: bytes, content_type: str) -> HttpAnswer:
    return HttpAnswer(body=body, content_type=content_type, headers=_NO_STORE)


def _said(status: int, words: str, *headers: tuple[str, str]) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode({"error": words}), headers=headers)
