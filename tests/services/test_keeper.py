from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from harness.cli.services import app
from harness.errors import ServiceError, UnknownName
from harness.services.identity import ProcessIdentity
from harness.services.keeper import start_keeper, stop_keeper
from harness.services.probe import postgresql_product, redis_product
from harness.services.state import Kept, read_state, state_folder, write_state

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's runtime folder of this test; nothing runs after it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    yield tmp_path
    stop_keeper(state_folder(os.environ))


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.mark.usefixtures("runtime", "wheels")
def test_servers_start_run_on_and_stop() -> None:
    assert run("status")[0] == 2
    status, printed = run("start", "--mode", "wheel")
    assert status == 0
    lines = printed.splitlines()
    assert [line.split("=")[0] for line in lines] == ["export DATABASE_URL", "export REDIS_URL"]

    status, printed = run("status", "--json")
    servers = json.loads(printed)["servers"]
    assert status == 0
    assert postgresql_product(servers[0]["url"]) == servers[0]["product"]
    assert redis_product(servers[1]["url"]) == servers[1]["product"]
    processes = [ProcessIdentity.of(server["pid"]) for server in servers]

    assert run("start")[1].splitlines() == lines  # found running
    assert "Valkey" in run("status")[1]
    assert "stopped PostgreSQL" in run("stop")[1]
    assert not any(process and process.runs() for process in processes)
    assert not any(Path(server["folder"]).exists() for server in servers)
    assert run("status")[0] == 2
    assert json.loads(run("stop", "--json")[1]) == {"stopped": []}


@pytest.mark.usefixtures("wheels")
def test_a_killed_keeper_leaves_nothing_running_and_no_state(runtime: Path) -> None:
    folder = state_folder({"XDG_RUNTIME_DIR": str(runtime)})
    kept = start_keeper(folder, "wheel")
    watched = [os.pidfd_open(server.pid) for server in kept.servers if server.pid]
    os.kill(kept.keeper.pid, signal.SIGKILL)
    for descriptor in watched:
        assert _ended(descriptor)
    assert read_state(folder) is None
    again = start_keeper(folder, "wheel")
    assert again.keeper != kept.keeper
    assert not any(Path(server.folder or "").exists() for server in kept.servers)


def _ended(descriptor: int) -> bool:
    import select  # noqa: PLC0415 - used here only

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        return bool(poll.poll(30_000))
    finally:
        os.close(descriptor)


def test_an_error_of_the_keeper_is_told(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost:1/none")  # not used: servers of our own are asked for
    with pytest.raises(ServiceError, match="--services url needs DATABASE_URL"):
        start_keeper(state_folder({"XDG_RUNTIME_DIR": str(runtime)}), "url")


@pytest.mark.usefixtures("runtime")
def test_an_explicit_url_is_nothing_to_start() -> None:
    with pytest.raises(UnknownName, match="known: auto, docker, path, wheel"):
        run("start", "--mode", "url")


def test_a_process_that_is_not_the_keeper_is_left_alone(runtime: Path) -> None:
    folder = state_folder({"XDG_RUNTIME_DIR": str(runtime)})
    impostor = ProcessIdentity(pid=os.getpid(), start_mark="an earlier start")
    write_state(folder, Kept(keeper=impostor, servers=()))
    assert read_state(folder) is None
    assert stop_keeper(folder) is None


def test_the_state_is_closed_to_others(tmp_path: Path) -> None:
    folder = state_folder({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o755)
    with pytest.raises(ServiceError, match="only you may use"):
        state_folder({"XDG_RUNTIME_DIR": str(tmp_path)})


def test_without_a_runtime_folder_the_state_has_a_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert state_folder({}) == tmp_path / f"tickproof-state-{os.geteuid()}"
