"""TOML read into frozen records, strictly; and the one function that finds shipped data."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

import msgspec

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: No file that a person writes is larger; a larger one is a mistake or an attack.
MAX_CONFIG_BYTES = 1_000_000

_PACKAGE = Path(__file__).resolve().parent
_PLACE = re.compile(r" - at `(?P<place>[^`]*)`")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_UNKNOWN_TAG = re.compile(r"Invalid value (?P<tag>'.*')")
_STEP = re.compile(r"\[(?P<index>\d+|\.\.\.)\]|(?P<name>[^.\[\]]+)")

T = TypeVar("T")


def data_root() -> Path:
    """The folder of shipped data: beside the installed package, else the checkout's `scenarios/`.

    Raises ConfigError when neither is there, which means a broken installation.
    """
    for candidate in (_PACKAGE / "_scenarios", _PACKAGE.parent / "scenarios"):
        if candidate.is_dir():
            return candidate
    raise ConfigError(_PACKAGE, "", "the shipped scenarios are missing; reinstall tickproof")


def data_files(folder: str, pattern: str) -> Iterator[Path]:
    """Files of a shipped folder that match a glob, sorted by name."""
    yield from sorted((data_root() / folder).glob(pattern))


def read_toml(path: Path, shape: type[T]) -> T:
    """The file as a record of type `shape`.

    Raises ConfigError that names the file, the key and what is allowed: unreadable file, no TOML, a wrong type,
    a missing or an unknown key.
    """
    return parse_toml(_text_of(path), shape, source=path)


def parse_toml(text: str, shape: type[T], *, source: Path | str) -> T:
    """As `read_toml`, from text; `source` is named in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, "", f"not TOML: {error}") from error
    try:
        return msgspec.convert(document, shape, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(source, str(error), shape, document) from error


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(path, "", f"larger than {MAX_CONFIG_BYTES:,} bytes; this is no configuration file")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(path, "", "no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"cannot be read: {error}") from error


def _explain(source: Path | str, message: str, shape: object, document: object) -> ConfigError:
    place = _PLACE.search(message)
    key = place["place"].removeprefix("$").removeprefix(".") if place else ""
    problem = _PLACE.sub("", message)
    unknown = _UNKNOWN_FIELD.search(problem)
    tag = _UNKNOWN_TAG.fullmatch(problem)
    if unknown:
        allowed = [field.encode_name for field in _fields(_records_at(shape, document, key))]
        problem = f"unknown key {unknown['field']!r}" + (f"; allowed: {', '.join(allowed)}" if allowed else "")
    elif tag:
        above = key.rpartition(".")[0]
        known = sorted(
            str(record.__struct_config__.tag) for record in _records_at(shape, document, above, tagged=False)
        )
        problem = f"unknown {key.rpartition('.')[2]} {tag['tag']}; known: {', '.join(known)}"
    return ConfigError(source, key, problem)


def _records_at(shape: object, document: object, key: str, *, tagged: bool = True) -> list[type[msgspec.Struct]]:
    """The records that may stand at a place inside `shape`: with `tagged`, the one that the document's tag chooses."""
    records = _records_in(shape)
    for step in _STEP.finditer(key):
        if step["name"] is None:  # an item: `shape` tells no list from what it holds
            index = step["index"]
            document = document[int(index)] if isinstance(document, list) and index.isdigit() else None
            continue
        fields = {field.encode_name: field.type for field in _fields(_of_tag(records, document))}
        records = _records_in(fields.get(step["name"]))
        document = document.get(step["name"]) if isinstance(document, dict) else None
    return _of_tag(records, document) if tagged else records


def _records_in(shape: object) -> list[type[msgspec.Struct]]:
    """Records that a type names, inside unions and containers too."""
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return [shape]
    return [record for inner in get_args(shape) for record in _records_in(inner)]


def _of_tag(records: list[type[msgspec.Struct]], document: object) -> list[type[msgspec.Struct]]:
    """Of the records of a tagged union, the one that the table in the document says it is."""
    if len(records) < 2 or not isinstance(document, dict):
        return records
    chosen = [
        record
        for record in records
        if (config := record.__struct_config__).tag_field and document.get(config.tag_field) == config.tag
    ]
    return chosen or records


def _fields(records: list[type[msgspec.Struct]]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(records[0]) if records else ()
