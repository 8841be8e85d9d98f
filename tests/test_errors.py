from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from harness import errors
from harness.errors import (
    BackendNotInstalled,
    ConfigError,
    ExitCode,
    PortTaken,
    RecordingError,
    TickproofError,
    UnknownName,
)

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "GOOD": 0,
        "REGRESSION": 1,
        "BAD_INPUT": 2,
        "OUTPUTS_DIFFER": 3,
        "NOT_TRUSTWORTHY": 4,
        "NOTHING_MEASURED": 5,
    }


def test_all_errors_stand_in_one_tree() -> None:
    assert all(issubclass(kind, TickproofError) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_the_exit_code_that_the_drawing_shows(kind: type[TickproofError]) -> None:
    assert errors.__doc__
    drawn = {
        words[0]: int(words[1])
        for line in errors.__doc__.splitlines()
        if len(words := line.strip().removeprefix("|-").removeprefix("`-").split()) > 2 and words[1].isdigit()
    }
    assert drawn[kind.__name__] == kind.exit_code


@pytest.mark.parametrize(
    ("error", "text", "fields"),
    [
        (
            UnknownName("codec backend", "jsn", ["orjson", "json"]),
            "unknown codec backend 'jsn'; known: json, orjson",
            {"kind": "codec backend", "name": "jsn", "known": ("json", "orjson")},
        ),
        (UnknownName("run", "x", []), "unknown run 'x'; known: none", {"known": ()}),
        (
            BackendNotInstalled("loop", "uvloop", "pip install 'tickproof[uvloop]'"),
            "loop backend 'uvloop' is not installed; install it with: pip install 'tickproof[uvloop]'",
            {"slot": "loop", "name": "uvloop", "hint": "pip install 'tickproof[uvloop]'"},
        ),
        (
            ConfigError(Path("a.toml"), "blocks", "must be positive"),
            "a.toml: blocks: must be positive",
            {"source": "a.toml", "key": "blocks", "problem": "must be positive"},
        ),
        (ConfigError("a.toml", "", "no such file"), "a.toml: no such file", {"key": ""}),
        (
            RecordingError(Path("a.jsonl"), 7, "cut in the middle"),
            "a.jsonl, line 7: cut in the middle",
            {"path": "a.jsonl", "line": 7, "problem": "cut in the middle"},
        ),
        (
            PortTaken("127.0.0.1", 8080),
            "port 8080 on 127.0.0.1 is taken; choose another one, or 0 for any that is free",
            {"host": "127.0.0.1", "port": 8080},
        ),
    ],
)
def test_an_error_is_a_sentence_and_carries_its_fields(
    error: TickproofError, text: str, fields: dict[str, object]
) -> None:
    assert str(error) == text
    assert {name: getattr(error, name) for name in fields} == fields
