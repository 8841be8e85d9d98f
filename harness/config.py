"""TOML read into frozen records, strictly; and the one function that finds shipped data."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: No file that a person writes is larger; a larger one is a mistake or an attack.
MAX_CONFIG_BYTES = 1_000_000

_PACKAGE = Path(__file__).resolve().parent
_PLACE = re.compile(r" - at `(?P<place>[^`]*)`")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")

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
        raise _explain(source, str(error), shape) from error


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(path, "", f"larger than {MAX_CONFIG_BYTES:,} bytes; this is no configuration file")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(path, "", "no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"cannot be read: {error}") from error


def _explain(source: Path | str, message: str, shape: type[T]) -> ConfigError:
    place = _PLACE.search(message)
    key = place["place"].removeprefix("$").removeprefix(".") if place else ""
    problem = _PLACE.sub("", message)
    unknown = _UNKNOWN_FIELD.search(problem)
    if unknown:
        allowed = _fields_at(shape, key)
        problem = f"unknown key {unknown['field']!r}" + (f"; allowed: {', '.join(allowed)}" if allowed else "")
    return ConfigError(source, key, problem)


def _fields_at(shape: object, key: str) -> list[str]:
    """Names of the fields of the record at a dotted place inside `shape`; empty where it is no record."""
    for part in filter(None, re.split(r"\.|\[\.\.\.\]|\[\d+\]", key)):
        fields = {field.encode_name: field.type for field in _record_fields(shape)}
        shape = fields.get(part)
    return [field.encode_name for field in _record_fields(shape)]


def _record_fields(shape: object) -> tuple[msgspec.structs.FieldInfo, ...]:
    for candidate in (shape, *getattr(shape, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return msgspec.structs.fields(candidate)
    return ()
