"""What may be asked of the side door, and the one way in which bodies are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from harness.replay.rest.http import fields_of

if TYPE_CHECKING:
    from harness.replay.rest.http import HttpRequest

Number = Annotated[int, Meta(ge=1, le=2**53)]
_FORM: Final = "application/x-www-form-urlencoded"


class Start(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /tickproof/start`."""

    until_frame: Number | None = None
    """Pause again once this market frame of the turn is due."""


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /tickproof/pause`: empty."""


class Seek(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /tickproof/seek`: one of the two."""

    frame: Number | None = None
    """Go on with this market frame of the recording, counted from 1."""
    seconds: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    """Go on with the first frame at or after so many seconds of the recording."""

    def __post_init__(self) -> None:
        """Raises ValueError for none and for both, which msgspec tells as its own error."""
        if (self.frame is None) == (self.seconds is None):
            raise ValueError("give either `frame` or `seconds`")


Body = TypeVar("Body", Start, Pause, Seek)


class BadBody(Exception):
    """A body that is not what was asked for; the words say why."""


def read_body(request: HttpRequest, kind: type[Body]) -> Body:
    """The body as JSON, or as the fields of a form; an empty one is `{}`. Raises BadBody.

    A form's empty fields count as left out. What begins with `{` is JSON, whatever is said of its type: `curl -d` says
    that all is a form.
    """
    body = request.body.strip()
    try:
        if not body.startswith(b"{") and request.headers.get("content-type", "").lower().startswith(_FORM):
            return msgspec.convert(_filled(fields_of(body.decode()), kind), kind, strict=False)
        return msgspec.json.decode(body or b"{}", type=kind)
    except ValueError as error:  # msgspec's errors, and those of text that is none, are among them
        raise BadBody(str(error)) from error


def prefers_html(request: HttpRequest) -> bool:
    """Whether a page is wanted rather than JSON, as browsers say in Accept (RFC 9110, 12.5.1)."""
    html = json = 0.0
    for part in request.headers.get("accept", "").lower().split(","):
        kind, _, parameters = part.partition(";")
        if kind.strip() == "text/html":
            html = _quality(parameters)
        elif kind.strip() == "application/json":
            json = _quality(parameters)
    return html > json


def _filled(fields: dict[str, str], kind: type[msgspec.Struct]) -> dict[str, str]:
    return {name: value.strip() for name, value in fields.items() if value or name not in kind.__struct_fields__}


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
