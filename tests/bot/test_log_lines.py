from __future__ import annotations

import io
import json
import logging
import math
import warnings
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.status.log_lines import JsonLines, RecentErrors, TextLines, configure, plain
from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.bot.status.log_lines import Format

Said = tuple[logging.Logger, "Callable[[], list[str]]", RecentErrors]
LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def said() -> Iterator[Callable[..., Said]]:
    """Configures logging, and afterwards leaves it as it was found."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level

    def start(form: Format = "text", level: str = "INFO") -> Said:
        stream = io.StringIO()
        recent = configure(format=form, level=level, stream=stream)
        return logging.getLogger("harness.bot.test"), lambda: stream.getvalue().splitlines(), recent

    yield start
    logging.captureWarnings(capture=False)
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)


def formatted(formatter: logging.Formatter, message: str, *args: object, **extra: object) -> str:
    record = logging.LogRecord("a.logger", logging.INFO, "file.py", 1, message, args, None)
    vars(record).update(extra)
    return formatter.format(record)


def raised(log: logging.Logger, error: Exception, **others: Any) -> None:
    """Logs the error as one that was caught."""
    try:
        raise error
    except type(error):
        log.exception("it failed", **others)


def test_a_text_line_tells_time_level_logger_message_and_extra_fields(said: Callable[..., Said]) -> None:
    log, lines, recent = said()
    log.info("connected to %s", "the market", extra={"attempt": 3, "route": "spot public"})
    (line,) = lines()
    moment, _, rest = line.partition(" ")
    assert datetime.fromisoformat(moment).utcoffset() is not None
    assert moment.endswith("Z")
    assert rest == 'INFO    harness.bot.test: connected to the market, attempt=3, route="spot public"'
    assert recent.lines == (), "no error"


def test_a_json_line_is_one_object_with_the_same(said: Callable[..., Said]) -> None:
    log, lines, _ = said("json")
    log.warning("lost %d frames", 5, extra={"symbol": "币安USDT", "price": Decimal("1.50"), "levels": [[1, "x"]]})
    (line,) = lines()
    assert line.isascii()
    told = json.loads(line)
    assert datetime.fromisoformat(told.pop("time")).utcoffset() is not None
    assert told == {
        "level": "WARNING",
        "logger": "harness.bot.test",
        "message": "lost 5 frames",
        "symbol": "币安USDT",
        "price": "1.50",
        "levels": [[1, "x"]],
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_reaches_a_line_by_message_argument_field_or_exception(
    said: Callable[..., Said], form: Format
) -> None:
    log, lines, recent = said(form)
    url = "postgresql://bot:hunter2@host:5432/db"
    log.info("opening %s", url)
    log.info(f"opening {url}")  # noqa: G004 - so do others
    log.info("opening", extra={"url": url, "nested": {"urls": [url], "password": "hunter2", "apiKey": "hunter2"}})
    log.info("opening", extra={"password": "hunter2", "listenKey": LISTEN_KEY, "key": LISTEN_KEY})
    log.info("a frame of %s", LISTEN_KEY)
    error = ConnectionError(f"cannot reach {url}")
    error.__cause__ = OSError(f"?token=hunter2&listenKey={LISTEN_KEY}")
    log.error("it failed at %s", url, exc_info=error)
    everything = "\n".join([*lines(), *(line.message for line in recent.lines)])
    assert "hunter2" not in everything
    assert LISTEN_KEY not in everything
    assert "ConnectionError" in everything
    assert "***" in everything


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_a_peer_sent_can_forge_a_line(said: Callable[..., Said], form: Format) -> None:
    log, lines, _ = said(form)
    forged = "x\n2026-01-01T00:00:00.000Z ERROR   harness.bot: all is lost\r\n\x1b[2J\u2028\u202egnal\x85\x0b\ud800"
    log.warning("symbol %s", forged, extra={"symbol": forged})
    assert len(lines()) == 1
    assert not set(lines()[0]) & set("\x1b\r\u2028\u202e\x85\x0b\ud800")


def test_a_traceback_in_text_is_indented_below_its_line(said: Callable[..., Said]) -> None:
    log, lines, _ = said()
    raised(log, ValueError("first\n2026-01-01T00:00:00.000Z ERROR   forged: second"))
    first, *below = lines()
    assert first.endswith("ERROR   harness.bot.test: it failed")
    assert below[0] == "    | Traceback (most recent call last):"
    assert all(line.startswith("    | ") for line in below)
    assert any("forged: second" in line for line in below)


def test_a_traceback_in_json_is_a_field_of_its_line(said: Callable[..., Said]) -> None:
    log, lines, _ = said("json")
    raised(log, ValueError("wrong"), stack_info=True)
    (line,) = lines()
    told = json.loads(line)["exception"]
    assert told.startswith("Traceback (most recent call last):\n")
    assert "ValueError: wrong\nStack (most recent call last)" in told


def test_a_message_that_cannot_be_made_is_a_line_all_the_same(said: Callable[..., Said]) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("postgresql://bot:hunter2@host/db")

        __repr__ = __str__

    class BrokenError(Exception):
        __str__ = Broken.__str__

    log, lines, recent = said("json")
    log.warning("%d frames", "many")  # noqa: PLE1205, PLE1307, RUF100 - the mistake that is meant
    log.warning("%s", Broken(), extra={"what": Broken()})
    raised(log, BrokenError())
    told = [json.loads(line) for line in lines()]
    assert [line["message"] for line in told] == [
        "%d frames (not formatted: TypeError)",
        "%s (not formatted: RuntimeError)",
        "it failed",
    ]
    assert told[1]["what"] == "<Broken: RuntimeError>"
    assert "BrokenError" in told[2]["exception"]
    assert len(recent.lines) == 3


def test_an_extra_field_never_takes_the_place_of_one_of_the_lines_own() -> None:
    told = json.loads(formatted(JsonLines(), "real", level="FORGED", time="never", logger="none"))
    assert told["level"] == "INFO"
    assert told["logger"] == "a.logger"
    assert told["time"] != "never"


def test_a_secret_at_the_place_where_a_long_message_is_cut_is_not_shown_by_halves() -> None:
    url = "postgresql://bot:hunter2hunter2hunter2@host/db"
    keys = f"{LISTEN_KEY} " * 110  # they shrink to next to nothing, and what follows moves up
    for place in range(45):
        message = keys + "x" * (8_000 - len(keys) - place - 1) + " " + url
        assert "hunter2" not in formatted(TextLines(), "%s", message)


def test_of_a_long_traceback_the_end_is_told() -> None:
    record = logging.LogRecord("a.logger", logging.ERROR, "file.py", 1, "it failed", (), None)
    record.exc_text = "\n".join(f"line {number}" for number in range(9_999))
    lines = TextLines().format(record).splitlines()
    assert lines[1] == "    | …"
    assert lines[-1] == "    | line 9998"
    assert len(lines) < 2_000


def test_what_json_has_no_word_for_is_told_as_text_and_long_or_deep_values_are_cut() -> None:
    deep: list[Any] = []
    deep.append(deep)
    told = json.loads(
        formatted(JsonLines(), "x" * 100_000, nan=math.nan, large=10**5_000, deep=deep, many=list(range(9_999)))
    )
    assert told["nan"] == "nan"
    assert told["large"] == "<int: ValueError>"
    assert len(told["many"]) == 50
    assert len(told["message"]) == 4_000
    assert told["message"].endswith("…")
    assert len(json.dumps(told["deep"])) < 200


@given(st.text(), st.dictionaries(st.text(min_size=1), JSON_VALUES, max_size=4))
def test_every_record_is_one_valid_json_object_and_one_line_of_text(message: str, extra: dict[str, Any]) -> None:
    fields = {f"x_{name}": value for name, value in extra.items()}
    line = formatted(JsonLines(), "%s", message, **fields)
    assert len(line.splitlines()) == 1
    assert {"time", "level", "logger", "message"} <= set(json.loads(line))
    text = formatted(TextLines(), "%s", message, **fields)
    assert len(text.splitlines()) == 1
    text.encode()


def test_the_last_errors_are_remembered_newest_first_and_no_more_than_twenty(said: Callable[..., Said]) -> None:
    log, _, recent = said(level="ERROR")
    for number in range(30):
        log.error("error %d", number)
        log.info("nothing")
        log.warning("below the level that was asked for")
    assert [line.message for line in recent.lines] == [f"error {number}" for number in range(29, 9, -1)]
    assert {line.level for line in recent.lines} == {"ERROR"}


def test_the_remembered_errors_tell_their_exception_in_brackets(said: Callable[..., Said]) -> None:
    log, _, recent = said()
    raised(log, TimeoutError("no answer\nin 2 s"))
    assert recent.lines[0].message == "it failed (no answer\\nin 2 s)"


def test_python_warnings_become_lines(said: Callable[..., Said]) -> None:
    _, lines, _ = said()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("a careful one", UserWarning, stacklevel=1)
    assert len(lines()) == 1
    assert "WARNING py.warnings: " in lines()[0]


def test_configured_twice_writes_once_and_in_the_new_format(said: Callable[..., Said]) -> None:
    _, old, _ = said()
    log, lines, _ = said("json", "debug")
    log.debug("once")
    assert old() == []
    assert [json.loads(line)["message"] for line in lines()] == ["once"]


def test_an_unknown_level_or_format_is_refused_with_what_is_known() -> None:
    with pytest.raises(ConfigError, match="DEBUG, INFO"):
        configure(level="LOUD")
    with pytest.raises(ConfigError, match="neither text nor json"):
        configure(format="xml")  # type: ignore[arg-type] # what a user may type


def test_plain_escapes_what_cannot_be_seen_and_leaves_letters_of_all_scripts() -> None:
    assert plain("币安 عربي é", most=20) == "币安 عربي é"
    assert plain("a\nb\u202ec\ud800", most=20) == "a\\nb\\u202ec\\ud800"
    assert plain("abcdef", most=4) == "abc…"
