"""The replay's own side door, beside what Binance answers: where it is, what it sent, and how to move it.

All below `/tickproof`, which no path of Binance begins with. Who may ask is decided before (rest/guards.py): loopback
names only, and no page of another origin may change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from harness.replay.rest.http import HttpAnswer, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.audience import Listing
    from harness.replay.cursor import Stretch
    from harness.replay.stage import Stage

ROOT: Final = "/tickproof"

Number = Annotated[int, Meta(ge=1, le=2**53)]


class Start(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /tickproof/start`."""

    until_frame: Number | None = None
    """Pause again once this market frame of the turn is due."""


class Seek(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /tickproof/seek`: one of the two."""

    frame: Number | None = None
    """Go on with this market frame of the recording, counted from 1."""
    seconds: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    """Go on with the first frame at or after so many seconds of the recording."""


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /tickproof/pause`: empty."""


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
    open: bool
    frames: int
    """Data frames handed over."""
    sent: list[StretchShown]


class Control:
    """Answers what is asked below `/tickproof`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._routes: Final[dict[tuple[str, str], Callable[[HttpRequest], HttpAnswer]]] = {
            ("GET", "/state"): lambda _: _json(self._stage.status()),
            ("GET", "/connections"): lambda _: _json([_shown(listing) for listing in self._stage.listings()]),
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
        if found is not None:
            return found(request)
        allowed = sorted(method for method, known in self._routes if known == path)
        if allowed:
            return _said(405, f"use {' or '.join(allowed)}", ("Allow", ", ".join(allowed)))
        return _said(404, f"no such page; known: {', '.join(ROOT + known for _, known in self._routes)}")

    def _start(self, request: HttpRequest) -> HttpAnswer:
        try:
            wanted = msgspec.json.decode(request.body or b"{}", type=Start)
        except msgspec.MsgspecError as error:
            return _said(400, str(error))
        self._stage.start(until_frame=wanted.until_frame)
        return _json(self._stage.status())

    def _pause(self, request: HttpRequest) -> HttpAnswer:
        try:
            msgspec.json.decode(request.body or b"{}", type=Pause)
        except msgspec.MsgspecError as error:
            return _said(400, str(error))
        self._stage.pause()
        return _json(self._stage.status())

    def _seek(self, request: HttpRequest) -> HttpAnswer:
        try:
            wanted = msgspec.json.decode(request.body or b"{}", type=Seek)
        except msgspec.MsgspecError as error:
            return _said(400, str(error))
        if (wanted.frame is None) == (wanted.seconds is None):
            return _said(400, "give either `frame` or `seconds`")
        self._stage.seek(frame=wanted.frame, seconds=wanted.seconds)
        return _json(self._stage.status())


def _shown(listing: Listing) -> ConnectionShown:
    return ConnectionShown(
        number=listing.number,
        path=listing.path,
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


def _json(value: object) -> HttpAnswer:
    return HttpAnswer(body=msgspec.json.encode(value), headers=(("Cache-Control", "no-store"),))


def _said(status: int, words: str, *headers: tuple[str, str]) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode({"error": words}), headers=headers)
