"""Log lines: for people as text, for machines as one JSON object a line; secrets are masked in both."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

from harness.bot.status.snapshot import ErrorLine
from harness.errors import ConfigError
from harness.redact import MASK, redact

if TYPE_CHECKING:
    from types import TracebackType

Format = Literal["text", "json"]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

#: A record may quote what a peer sent; no line needs more than this to be understood.
_MOST_MESSAGE = 4_000
_MOST_EXCEPTION = 16_000
_MOST_ITEMS = 50
_MOST_NUMBER = 2.0**64
_MOST_DEPTH = 4

#: What every record has; all else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET = re.compile(r"passw|secret|token|signature|api_?key|listen_?key|authorization|credential", re.IGNORECASE)
#: What would end a line, move the cursor, turn the direction of what follows, or is no character at all.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


def plain(text: str, *, most: int) -> str:
    """The text on one line that shows what it holds: what cannot be seen is escaped, and it is cut to `most`."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), cut)


def configure(
    *,
    format: Format = "text",  # noqa: A002 - what it is called everywhere, the command line included
    level: str = "INFO",
    stream: TextIO | None = None,
) -> RecentErrors:
    """Let all loggers write lines of this format to `stream` (standard error), in place of what was configured before.

    Warnings of Python's `warnings` become lines too. Returns the handler that remembers the last errors. Raises
    ConfigError for an unknown format or level.
    """
    if level.upper() not in LEVELS:
        raise ConfigError("logging", "level", f"{level!r} is none of {', '.join(LEVELS)}")
    if format not in {"text", "json"}:
        raise ConfigError("logging", "format", f"{format!r} is neither text nor json")
    lines = logging.StreamHandler(stream or sys.stderr)
    lines.setFormatter(JsonLines() if format == "json" else TextLines())
    recent = RecentErrors()
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(lines)
    root.addHandler(recent)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    return recent


class TextLines(logging.Formatter):
    """`2026-11-24T16:47:12.123Z WARNING harness.bot.app: message, key=value`; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and those of its exception: none begins like a line of another record."""
        line = f"{_time(record)} {record.levelname:<8}{plain(record.name, most=200)}: {_message(record)}"
        line += "".join(f", {name}={_as_text(value)}" for name, value in _extra(record).items())
        below = "".join(f"\n    | {plain(told, most=2_000)}" for told in _exception(record).splitlines())
        return line + below


class JsonLines(logging.Formatter):
    """One object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, `exception` and the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """ASCII, so that nobody's idea of a line end or an encoding matters."""
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": plain(record.name, most=200),
            "message": _message(record),
        }
        if exception := _exception(record):
            line["exception"] = exception
        # An extra field never takes the place of one of ours.
        return json.dumps({**_extra(record), **line}, allow_nan=False)


class RecentErrors(logging.Handler):
    """Remembers the last warnings and errors, for the status page."""

    def __init__(self, most: int = 20) -> None:
        super().__init__(logging.WARNING)
        self._lines: deque[ErrorLine] = deque(maxlen=most)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, without its traceback."""
        message = _message(record)
        if record.exc_info and record.exc_info[1] is not None:
            message = f"{message} ({_safely(record.exc_info[1], most=500)})"
        self._lines.appendleft(
            ErrorLine(time_s=record.created, level=record.levelname, message=plain(message, most=1_000))
        )

    @property
    def lines(self) -> tuple[ErrorLine, ...]:
        """Newest first."""
        return tuple(self._lines)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        told = record.getMessage()
    except Exception as error:  # noqa: BLE001 - a log line that cannot be made must not end the bot
        told = f"{record.msg!s:.500} (not formatted: {type(error).__name__})"
    return _masked(told, most=_MOST_MESSAGE)


def _exception(record: logging.LogRecord) -> str:
    """Traceback and stack, redacted; its newest end when it is too long."""
    told = [record.stack_info] if record.stack_info else []
    if record.exc_info and record.exc_info[1] is not None:
        told.insert(0, _traceback(record.exc_info))
    elif record.exc_text:
        told.insert(0, record.exc_text)
    text = "\n".join(told)
    if len(text) > _MOST_EXCEPTION:
        text = "…\n" + text[-_MOST_EXCEPTION:].partition("\n")[2]
    return redact(text)


def _traceback(
    information: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
) -> str:
    try:
        return "".join(traceback.format_exception(*information)).rstrip()
    except Exception as error:  # noqa: BLE001 - an exception whose own text raises
        return f"{information[0]} (no traceback: {type(error).__name__})"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return _mapping({name: value for name, value in vars(record).items() if name not in _STANDARD}, _MOST_DEPTH)


def _mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    named = ((_safely(name, most=100), value) for name, value in list(values.items())[:_MOST_ITEMS])
    return {name: MASK if _SECRET.search(name) else _field(value, depth - 1) for name, value in named}


def _field(value: Any, depth: int) -> Any:
    """The value as JSON can tell it, every text in it redacted."""
    if value is None or type(value) is bool or (type(value) in {int, float} and abs(value) < _MOST_NUMBER):
        return value
    if depth > 0 and isinstance(value, Mapping):
        return _mapping(value, depth)
    if depth > 0 and isinstance(value, (list, tuple, set, frozenset)):
        return [_field(item, depth - 1) for item in list(value)[:_MOST_ITEMS]]
    return _safely(value, most=_MOST_MESSAGE)


def _safely(value: object, *, most: int) -> str:
    try:
        told = str(value)
    except Exception as error:  # noqa: BLE001 - as above
        told = f"<{type(value).__name__}: {type(error).__name__}>"
    return _masked(told, most=most)


def _masked(text: str, *, most: int) -> str:
    if len(text) > 2 * most:  # at a space, so that no secret is cut in two and then not seen
        text = text[: 2 * most].rsplit(None, 1)[0]
    return plain(redact(text), most=most)


def _as_text(value: Any) -> str:
    told = value if isinstance(value, str) else json.dumps(value, allow_nan=False, ensure_ascii=False)
    return json.dumps(told, ensure_ascii=False) if isinstance(value, str) and re.search(r"[\s,=\"]", told) else told
