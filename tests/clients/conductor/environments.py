"""A virtual environment for each client: made once, kept as long as what it was made from is the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
_INSTALL_SECONDS = 900
_DONE = "made.json"


class NotInstalled(Exception):
    """A client could not be installed; says what pip said last and what to try."""


def environment(requirements: str, python: str, folder: Path, say: Callable[[str], None]) -> Path:
    """The interpreter of an environment with what the file names, for the interpreter `python`. Raises NotInstalled."""
    file = _REQUIREMENTS / f"{requirements}.txt"
    made_from = {"python": _version(python), "requirements": hashlib.sha256(file.read_bytes()).hexdigest()}
    place = folder / f"{requirements}-{made_from['python'].replace('.', '')}"
    interpreter = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _read(place / _DONE) == made_from and interpreter.exists():
        return interpreter
    say(f"{requirements}: installing")
    shutil.rmtree(place, ignore_errors=True)
    _run([python, "-m", "venv", str(place)], requirements, python)
    _run([str(interpreter), "-m", "pip", "install", "-q", "-r", str(file)], requirements, python)
    (place / _DONE).write_text(json.dumps(made_from))
    return interpreter


def _version(python: str) -> str:
    told = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        return subprocess.run([python, "-c", told], capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotInstalled(f"{python} is no Python interpreter that starts: {error}") from error


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def _run(argv: list[str], requirements: str, python: str) -> None:
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=_INSTALL_SECONDS, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{requirements}: not installed within {_INSTALL_SECONDS} s") from error
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise NotInstalled(
            f"{requirements}: not installed for {python}\n{last}\n"
            f"Another interpreter may do: --python python3.12 {requirements}"
        )
