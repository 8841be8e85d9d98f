"""One tree of errors, each with the exit code that the command line returns.

    TickproofError                2  bad usage or input
    |- UnknownName                2  a name that no registry, catalogue or folder holds
    |- BackendNotInstalled        2  a known backend whose package is absent
    |- ConfigError                2  a TOML file or an environment variable
    |- RecordingError             2  a cut, edited, oversized or malformed recording
    |- ServiceError               2  a server that cannot be found, started or reached
    |- PortTaken                  2  an address that somebody else listens on
    |- ResultError                2  a result file that cannot be read
    |- RegressionFound            1  the gate's "no"
    |- OutputsDiffer              3  stacks that do not decide the same
    |- NotTrustworthy             4  a run that broke, was interrupted, or cannot tell
    `- NothingMeasured            5  no trial left a measurement

Only cli/ turns them into text and a status.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class ExitCode(IntEnum):
    """What a command's exit status means."""

    GOOD = 0
    REGRESSION = 1
    BAD_INPUT = 2
    OUTPUTS_DIFFER = 3
    NOT_TRUSTWORTHY = 4
    NOTHING_MEASURED = 5


class TickproofError(Exception):
    """The root of all errors that a user can cause or mend; `str()` is one sentence that says what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.BAD_INPUT


class UnknownName(TickproofError):
    """A name that is not known; carries what would have been."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(self.known) or 'none'}")


class BackendNotInstalled(TickproofError):
    """A known backend whose package is not installed."""

    def __init__(self, slot: str, name: str, hint: str) -> None:
        self.slot = slot
        self.name = name
        self.hint = hint
        super().__init__(f"{slot} backend {name!r} is not installed; install it with: {hint}")


class ConfigError(TickproofError):
    """A value in a TOML file or the environment that is not allowed; names the file, the key and what is."""

    def __init__(self, source: Path | str, key: str, problem: str) -> None:
        self.source = str(source)
        self.key = key
        self.problem = problem
        super().__init__(f"{source}: {key}: {problem}" if key else f"{source}: {problem}")


class RecordingError(TickproofError):
    """A recording that is not whole; names the file and the line (counted from 1)."""

    def __init__(self, path: Path | str, line: int, problem: str) -> None:
        self.path = str(path)
        self.line = line
        self.problem = problem
        super().__init__(f"{path}, line {line}: {problem}")


class ServiceError(TickproofError):
    """A server that cannot be found, started or reached."""


class PortTaken(TickproofError):
    """An address that another process listens on."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(f"port {port} on {host} is taken; choose another one, or 0 for any that is free")


class ResultError(TickproofError):
    """A result file that cannot be read."""


class RegressionFound(TickproofError):
    """The gate's "no"."""

    exit_code = ExitCode.REGRESSION


class OutputsDiffer(TickproofError):
    """Stacks that do not decide the same: no speed of theirs counts."""

    exit_code = ExitCode.OUTPUTS_DIFFER


class NotTrustworthy(TickproofError):
    """A run that broke, was interrupted, or cannot tell."""

    exit_code = ExitCode.NOT_TRUSTWORTHY


class NothingMeasured(TickproofError):
    """No trial left a measurement."""

    exit_code = ExitCode.NOTHING_MEASURED
