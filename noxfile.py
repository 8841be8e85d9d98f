"""The project's jobs. Each installs what it needs: `nox -l` lists them, `nox -s bench` is the main one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
CONSTRAINTS = ("-c", "constraints.txt")
PYPROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, extras: str, *groups: str) -> None:
    """The wheel, not the checkout: it is what users get, and it must find what it ships."""
    requirements = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(f".[{extras}]", *requirements, *CONSTRAINTS)


def revision() -> str:
    """The checkout's commit, for the result: the wheel that runs does not know it. Empty outside of git."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"], cwd=ROOT, capture_output=True, check=False
        )
    except OSError:
        return ""
    return said.stdout.decode().strip()


@nox.session
def bench(session: nox.Session) -> None:
    """The main job: servers, eight stacks, the report. Arguments after -- go to `tickproof bench`."""
    install(session, "all")
    session.run(
        *("tickproof", "bench", "--out", str(ROOT / "reports"), *session.posargs),
        env={"TICKPROOF_REVISION": revision()},
    )


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, on the installed wheel."""
    install(session, "all", "test")
    # From the folder of the tests, so that `harness` is the wheel's and not the checkout's. In two processes, as most
    # tests wait for servers; a file goes to one of them as a whole.
    session.run("pytest", "--rootdir", str(ROOT), *(session.posargs or ["-n", "2", "--dist", "loadfile", "tests"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and layout."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"), *CONSTRAINTS)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over package, tests and this file."""
    install(session, "all", "types")
    session.run("mypy")


@nox.session
def clients(session: nox.Session) -> None:
    """Client libraries against the replay server, each in an environment of its own; names after -- choose."""
    session.install(".", *CONSTRAINTS)
    folder = session.cache_dir / "clients"
    session.run("python", "tests/clients/run.py", "--folder", str(folder), *session.posargs)


@nox.session
def recorded(session: nox.Session) -> None:
    """Real recordings at their own pace and as a flood, every frame compared; files or folders after --."""
    session.install(".", *nox.project.dependency_groups(PYPROJECT, "test"), *CONSTRAINTS)
    session.run("python", "tests/replay/at_recorded_pace.py", *session.posargs)


@nox.session
def docker(session: nox.Session) -> None:
    """The smoke profile on servers in containers; wants a Docker engine that answers."""
    install(session, "all,docker")
    session.run(
        *("tickproof", "bench", "--profile", "smoke", "--services", "docker"),
        *("--out", str(ROOT / "reports"), *session.posargs),
        env={name: value for name, value in os.environ.items() if name.startswith("TICKPROOF_")},
    )


@nox.session
def report(session: nox.Session) -> None:
    """A report again from its result file: nox -s report -- reports/<run>/result.json."""
    install(session, "all")
    session.run("tickproof", "report", *session.posargs)
