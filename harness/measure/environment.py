"""Facts of the machine and the software, recorded beside every run and every trial."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import psutil

from harness.results.model import Environment

#: Distributions whose version can change a number.
PACKAGES = (
    "asyncpg",
    "hiredis",
    "msgspec",
    "numpy",
    "orjson",
    "pyperf",
    "redis",
    "scipy",
    "tickproof",
    "uvloop",
    "websockets",
)


_REVISION = re.compile(r"[0-9A-Za-z._+-]{1,80}")


def environment(*, services: dict[str, str], pinned: bool, facts: dict[str, str]) -> Environment:
    """Everything that a reader needs to know of where the numbers come from; holds no host or user name."""
    return Environment(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=cpu_model(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=versions(),
        services=services,
        revision=revision(),
        pinned=pinned,
        facts=facts,
    )


def cpu_model() -> str:
    """The processor's name; the architecture where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Installed version by distribution; those absent are left out."""
    found = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def revision() -> str | None:
    """The commit of the checkout that this code runs from, `+` behind it when changed; None outside one.

    A wheel knows of none: whoever built it from a checkout may say it in `TICKPROOF_REVISION`.
    """
    told = os.environ.get("TICKPROOF_REVISION", "")
    if _REVISION.fullmatch(told):
        return told
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True, timeout=10)
    return done.stdout.decode().strip()


class Conditions:
    """What the machine went through between two moments."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._times = psutil.cpu_times()

    def since(self) -> dict[str, float]:
        """Share of the machine's time that was stolen and idle, load average, seconds gone by."""
        now = psutil.cpu_times()
        spans = {name: getattr(now, name) - getattr(self._times, name) for name in now._fields}
        total = sum(spans.values()) - spans.get("guest", 0.0) - spans.get("guest_nice", 0.0) or 1.0
        return {
            "steal_share": round(spans.get("steal", 0.0) / total, 5),
            "idle_share": round(spans.get("idle", 0.0) / total, 5),
            "load_1min": os.getloadavg()[0] if sys.platform != "win32" else 0.0,
            "seconds": round(time.monotonic() - self._start, 3),
        }
