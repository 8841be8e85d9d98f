from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from harness.errors import ServiceError
from harness.services.opening import open_services
from harness.services.readiness import docker_answers

has_testcontainers = importlib.util.find_spec("testcontainers") is not None


def test_without_testcontainers_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "testcontainers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "testcontainers", None)
    with pytest.raises(ServiceError, match=r"pip install 'tickproof\[docker\]'"), open_services("docker", environ={}):
        pass


@pytest.mark.skipif(not has_testcontainers, reason="testcontainers is not installed: pip install 'tickproof[docker]'")
def test_an_engine_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with (
        pytest.raises(ServiceError, match="check that `docker info` answers"),
        open_services("docker", environ={}, want=("redis",)),
    ):
        pass


@pytest.mark.skipif(
    not (has_testcontainers and docker_answers(os.environ)), reason="no testcontainers, or Docker does not answer"
)
def test_servers_run_in_containers() -> None:
    with open_services("docker", environ=os.environ) as services:
        assert [server.origin for server in services.servers] == ["docker", "docker"]
        assert services.postgresql.product.startswith("PostgreSQL")
        services.check()
