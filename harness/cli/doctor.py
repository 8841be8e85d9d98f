"""`tickproof doctor`: what this machine has for the main job, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import TickproofError
from harness.recordings import catalogue
from harness.services.account import accounts
from harness.services.readiness import Check, service_checks
from harness.spawn import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Import name: distribution, what it is for.
_REQUIRED = ("asyncpg", "msgspec", "websockets", "psutil", "numpy", "scipy", "zstandard", "jinja2", "matplotlib")
_OPTIONAL = {
    "uvloop": "the uvloop stacks and the report's after column",
    "orjson": "the orjson stacks and the report's after column",
    "redis": "the redis stacks and the report's after-redis column",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OLDEST_PYTHON = (3, 11)
_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "missing": ("MISSING", "bold red")}


def doctor(json: Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")] = False) -> None:
    """Look at what the main job needs; exit status 0 when it can run here, 2 when something is missing.

    Example: tickproof doctor --json
    """
    checks = [*_machine(), *_packages(), _recording(), *service_checks(os.environ), _browser()]
    missing = sum(check.state == "missing" for check in checks)
    if json:
        print(msgspec.json.encode({"ready": not missing, "checks": checks}).decode())
    else:
        _show(checks)
        print(f"{missing} missing: the main job would not run here" if missing else "the main job can run here")
    if missing:
        raise typer.Exit(2)


def _machine() -> Iterator[Check]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield Check(
        name="Python",
        state="ok" if sys.version_info >= _OLDEST_PYTHON else "missing",
        found=python,
        mend="" if sys.version_info >= _OLDEST_PYTHON else "install Python 3.11 or newer",
    )
    linux = sys.platform == "linux"
    yield Check(
        name="system",
        state="ok" if linux else "note",
        found=f"{platform.system()} {platform.machine()}",
        mend="" if linux else "measure on Linux: no pinning, steal time or parent-death signal here",
    )
    cores = available_cores()
    yield Check(
        name="cores and pinning",
        state="ok" if len(cores) > 1 else "note",
        found=f"{len(cores) or 'an unknown number of'} cores to pin to",
        mend="" if len(cores) > 1 else "use a machine with two cores or more: worker and replay share one here",
    )
    yield Check(
        name="user",
        state="ok",
        found=f"id {os.geteuid()}; PostgreSQL would run as {' or '.join(account.name for account in accounts())}",
    )


def _packages() -> Iterator[Check]:
    for name in _REQUIRED:
        found = _version(name)
        yield Check(
            name=f"package {name}",
            state="ok" if found else "missing",
            found=found or "not installed",
            mend="" if found else "pip install tickproof",
        )
    for name, use in _OPTIONAL.items():
        found = _version(name)
        yield Check(
            name=f"package {name} (optional)",
            state="ok" if found else "note",
            found=found or f"not installed: without it no {use}",
            mend="" if found else f"pip install 'tickproof[{name}]'",
        )


def _version(name: str) -> str | None:
    """The version of an installed package, which is not imported; None when it is absent."""
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _recording() -> Check:
    name = "shipped recording"
    try:
        path = catalogue.find(catalogue.DEFAULT_RECORDING)
        return Check(name=name, state="ok", found=f"{path.name}, {path.stat().st_size / 1e6:.1f} MB")
    except (TickproofError, OSError) as error:
        return Check(name=name, state="missing", found=str(error), mend="pip install --force-reinstall tickproof")


def _browser() -> Check:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    return Check(
        name="Chromium (optional, for developers)",
        state="ok" if found else "note",
        found=found or "not found",
        mend="" if found else "install chromium, to run the tests that look at the report",
    )


def _show(checks: list[Check]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        mark, style = _MARKS[check.state]
        # Text, not markup: 'tickproof[services]' is no style.
        table.add_row(Text(mark, style=style), Text(check.name), Text(check.found))
    Console().print(table)
    for check in checks:
        if check.mend:  # below the table, unwrapped, so that a command can be copied
            print(f"\n{_MARKS[check.state][0]}: {check.name}\n{indent(check.mend, '  ')}")
    print()
