from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.services.folder import OwnedFolder, sweep
from harness.services.identity import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Opens both servers, says which processes and folders they have, and waits to be killed.
OWNER = """
import json, os, sys, tempfile
from pathlib import Path
from harness.services import folder
from harness.services.opening import open_services
place = Path(sys.argv[1])
folder._parents = lambda: [place]
tempfile.tempdir = sys.argv[1]
with open_services("wheel", environ=os.environ) as services:
    print(json.dumps([server.pid for server in services.servers]), flush=True)
    sys.stdin.readline()
"""


def test_a_folder_is_closed_to_others_and_gone_after_the_block(temporary_place: Path) -> None:
    with OwnedFolder() as folder:
        assert folder.path.parent == temporary_place
        assert folder.path.stat().st_mode & 0o066 == 0
        (folder.path / "data").mkdir()
        (folder.path / "data" / "file").write_text("x", encoding="utf-8")
    assert not folder.path.exists()


def test_a_sweep_leaves_the_folders_of_the_living(temporary_place: Path) -> None:
    with OwnedFolder() as folder:
        assert sweep() == []
        assert folder.path.is_dir()
    assert list(temporary_place.iterdir()) == []


def test_a_sweep_leaves_what_has_no_owner_file_or_another_name(temporary_place: Path) -> None:
    for name in ("tickproof-without-owner", "somebody-elses"):
        (temporary_place / name).mkdir()
    (temporary_place / "tickproof-file").touch()
    broken = temporary_place / "tickproof-broken"
    broken.mkdir()
    (broken / "owner.json").write_text("{", encoding="utf-8")
    assert sweep() == []
    assert len(list(temporary_place.iterdir())) == 4


def dead_folder(place: Path, *, start_mark: str = "an earlier start") -> Path:
    """A folder as a killed process with our pid would have left it."""
    path = place / "tickproof-dead"
    path.mkdir()
    owner = {"owner": {"pid": os.getpid(), "start_mark": start_mark}}
    (path / "owner.json").write_bytes(msgspec.json.encode(owner))
    (path / "owner.lock").touch()
    (path / "data").mkdir()
    return path


def test_a_sweep_is_not_taken_in_by_a_reused_pid(temporary_place: Path) -> None:
    path = dead_folder(temporary_place)
    assert sweep() == [path]
    assert not path.exists()


def test_a_sweep_leaves_a_folder_whose_owner_runs_though_its_lock_is_free(temporary_place: Path) -> None:
    dead_folder(temporary_place, start_mark=ProcessIdentity.current().start_mark)
    assert sweep() == []


@pytest.mark.usefixtures("temporary_place")
def test_a_sweep_leaves_a_folder_whose_lock_is_held() -> None:
    with OwnedFolder() as folder:
        # As from another container: the pid in the owner file means nothing here.
        owner = {"owner": {"pid": os.getpid(), "start_mark": "elsewhere"}}
        (folder.path / "owner.json").write_bytes(msgspec.json.encode(owner))
        assert sweep() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_sweep_leaves_the_folders_of_other_users(temporary_place: Path) -> None:
    path = dead_folder(temporary_place)
    os.chown(path, 12345, 12345)
    assert sweep() == []


@pytest.mark.skipif(sys.platform != "linux", reason="no parent-death signal on this system")
@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_servers_of_a_killed_owner_end_and_the_next_start_sweeps(
    by: signal.Signals,
    temporary_place: Path,
    child_environment: Mapping[str, str],
    shared_memory_of: Callable[[int], set[Path]],
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, temporary_place],
        env=child_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with owner:
        assert owner.stdout is not None
        pids = msgspec.json.decode(owner.stdout.readline(), type=list[int])
        servers = [ProcessIdentity.of(pid) for pid in pids]
        shared_memory = shared_memory_of(pids[0])
        segment_line = _segment_of(temporary_place)
        watched = [os.pidfd_open(pid) for pid in pids]
        assert all(server and server.runs() for server in servers)
        owner.send_signal(by)
        owner.wait(30)
    for descriptor in watched:
        _wait_for_end(descriptor)
    assert not any(server and server.runs() for server in servers)
    left = sorted(temporary_place.glob("tickproof-*"))
    assert len(left) == 2
    assert sweep() == left
    assert list(temporary_place.iterdir()) == []
    assert shared_memory
    assert not any(segment.exists() for segment in shared_memory)
    assert segment_line not in Path("/proc/sysvipc/shm").read_text(encoding="ascii").replace(" ", "")


def _segment_of(place: Path) -> str:
    """Key and id of the System V segment, which begin its line in /proc/sysvipc/shm."""
    postmaster = next(place.glob("tickproof-*/data/postmaster.pid"))
    return "".join(postmaster.read_text(encoding="utf-8").splitlines()[6].split()) + "600"


def _wait_for_end(descriptor: int) -> None:
    import select  # noqa: PLC0415 - used here only

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(30_000)
    os.close(descriptor)
