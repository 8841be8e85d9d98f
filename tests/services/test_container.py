from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.errors import ServiceError
from harness.services.opening import open_services
from harness.services.readiness import docker_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

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


needs_docker = pytest.mark.skipif(
    not (has_testcontainers and docker_answers(os.environ)), reason="no testcontainers, or Docker does not answer"
)


@pytest.fixture
def engine() -> Iterator[Any]:
    docker = pytest.importorskip("docker")
    client = docker.from_env()
    yield client
    client.close()


def ours(engine: Any) -> list[Any]:
    return [found for found in engine.containers.list(all=True) if "tickproof.owner" in found.labels]


@needs_docker
def test_servers_run_in_containers_and_are_gone_after(engine: Any) -> None:
    with open_services("docker", environ=os.environ) as services:
        assert [server.origin for server in services.servers] == ["docker", "docker"]
        assert services.postgresql.product.startswith("PostgreSQL")
        assert services.redis is not None
        assert services.redis.url.startswith("redis://127.0.0.1:")
        services.check()
        assert len(ours(engine)) == 2
    assert ours(engine) == []


@needs_docker
def test_a_container_that_dies_in_mid_run_is_noticed(engine: Any) -> None:
    with open_services("docker", environ=os.environ, want=("redis",)) as services:
        (container,) = ours(engine)
        container.kill()
        container.wait()
        with pytest.raises(ServiceError, match=r"(?s)died in mid-run: the container of .* is exited"):
            services.check()
    assert ours(engine) == []


@needs_docker
def test_containers_of_a_killed_owner_are_removed_by_the_next_start(engine: Any) -> None:
    owner = msgspec.json.encode({"pid": os.getpid(), "start_mark": "an earlier start"}).decode()
    with open_services("docker", environ=os.environ, want=("redis",)):
        image = ours(engine)[0].image
    left = engine.containers.create(image, labels={"tickproof.owner": owner})
    with open_services("docker", environ=os.environ, want=("redis",)):
        assert left.id not in {container.id for container in ours(engine)}
        assert len(ours(engine)) == 1


@needs_docker
def test_an_image_that_cannot_be_had_is_an_error() -> None:
    environ = {**os.environ, "TICKPROOF_REDIS_IMAGE": "local/no-such-image:0"}
    with (
        pytest.raises(ServiceError, match="Docker cannot run local/no-such-image:0"),
        open_services("docker", environ=environ, want=("redis",)),
    ):
        pass
