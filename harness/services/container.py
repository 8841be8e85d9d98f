"""Servers in containers through testcontainers, only when asked for. The one place that imports it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import ServiceError
from harness.redact import redact
from harness.services import probe
from harness.services.identity import ProcessIdentity
from harness.services.postgresql import STATEMENTS, create_statement_counts
from harness.services.server import Kind, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_START_SECONDS = 60.0
_POLL_SECONDS = 0.1
_OWNER_LABEL = "tickproof.owner"
_LOCAL_HOSTS = {"localhost", "127.0.0.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """A server's image, and how it is started and asked."""

    variable: str
    default: str
    port: int
    environment: Mapping[str, str]
    settings: Mapping[str, str]
    command: tuple[str, ...]
    url: str
    product: Callable[[str], str]


_POSTGRESQL_SETTINGS = {"timezone": "UTC", "shared_preload_libraries": STATEMENTS}
_REDIS_SETTINGS = {"save": "", "appendonly": "no"}
_IMAGES: dict[Kind, _Image] = {
    "postgresql": _Image(
        variable="TICKPROOF_POSTGRES_IMAGE",
        default="postgres:18-alpine",
        port=5432,
        environment={"POSTGRES_HOST_AUTH_METHOD": "trust"},
        settings=_POSTGRESQL_SETTINGS,
        command=(
            "postgres",
            *(word for key, value in _POSTGRESQL_SETTINGS.items() for word in ("-c", f"{key}={value}")),
        ),
        url="postgresql://postgres@{host}:{port}/postgres?sslmode=disable",
        product=probe.postgresql_product,
    ),
    "redis": _Image(
        variable="TICKPROOF_REDIS_IMAGE",
        default="valkey/valkey:9-alpine",
        port=6379,
        environment={},
        settings=_REDIS_SETTINGS,
        command=("--save", "", "--appendonly", "no"),
        url="redis://{host}:{port}/0",
        product=probe.redis_product,
    ),
}


@contextmanager
def running_container(
    kind: Kind, *, environ: Mapping[str, str], cores: Sequence[int]
) -> Iterator[tuple[Server, Callable[[], str | None]]]:
    """A server in a container and a function that tells why it died; removed on exit.

    The image is that of TICKPROOF_POSTGRES_IMAGE or TICKPROOF_REDIS_IMAGE, else a stated default; it is pulled when it
    is not there. Containers of killed owners are removed first. Raises ServiceError when Docker or the image fails.
    """
    image = _IMAGES[kind]
    name = environ.get(image.variable) or image.default
    container = _new_container(name, image, environ, cores)
    try:
        with _told(name):
            _sweep(container)
            container.start()
        server = _server(kind, image, container)
        yield server, lambda: _problem(container, name)
    finally:
        with _told(name):
            container.stop()


def _new_container(name: str, image: _Image, environ: Mapping[str, str], cores: Sequence[int]) -> Any:
    try:
        from testcontainers.core.config import ConnectionMode, testcontainers_config  # noqa: PLC0415 - an optional extra
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    except ImportError:
        raise ServiceError("--services docker needs testcontainers: pip install 'tickproof[docker]'") from None
    if "TESTCONTAINERS_CONNECTION_MODE" not in environ and Path("/.dockerenv").exists():
        # Inside a container testcontainers would take the engine for one on a bridge that we can reach.
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    with _told(name):
        # Any: an installed testcontainers is typed more narrowly than what it passes on to the engine.
        container: Any = DockerContainer(name, env=dict(image.environment))
        container.with_command(list(image.command))
        client = container.get_docker_client()
        if "TESTCONTAINERS_RYUK_DISABLED" not in environ:
            testcontainers_config.ryuk_disabled = not _has_image(client.client, testcontainers_config.ryuk_image)
        local = client.get_connection_mode() == ConnectionMode.docker_host and client.host() in _LOCAL_HOSTS
    # Published on loopback only, on a port that the engine chooses.
    container.ports[str(image.port)] = ("127.0.0.1", None) if local else None
    owner = msgspec.json.encode(ProcessIdentity.current()).decode()
    pinned = {"cpuset_cpus": ",".join(map(str, cores))} if cores else {}
    return container.with_kwargs(labels={_OWNER_LABEL: owner}, **pinned)


def _has_image(client: Any, name: str) -> bool:
    """Whether the image is here. Ryuk, which removes containers of killed owners, is used only then: never pulled."""
    return any(name in image.tags for image in client.images.list())


def _sweep(container: Any) -> None:
    """Remove containers whose owner was killed."""
    client = container.get_docker_client().client
    for other in client.containers.list(all=True, filters={"label": _OWNER_LABEL}):
        try:
            owner = msgspec.json.decode(other.labels[_OWNER_LABEL], type=ProcessIdentity)
        except msgspec.MsgspecError:
            continue
        if not owner.runs():
            other.remove(force=True, v=True)


def _server(kind: Kind, image: _Image, container: Any) -> Server:
    with _told(container.image):
        port = int(container.get_exposed_port(image.port))
        url = image.url.format(host=_loopback(container.get_container_host_ip()), port=port)
    product = _wait_for(lambda: image.product(url), container)
    if kind == "postgresql":
        create_statement_counts(url)
    return Server(name=kind, url=url, product=product, origin="docker", settings=dict(image.settings))


def _loopback(host: str) -> str:
    """An address instead of a name that may stand for IPv6 first, where nothing is published."""
    return "127.0.0.1" if host in _LOCAL_HOSTS else host


def _wait_for(ask: Callable[[], str], container: Any) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        problem = _problem(container, container.image)
        if problem:
            raise ServiceError(problem)
        try:
            return ask()
        except ServiceError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def _problem(container: Any, name: str) -> str | None:
    with _told(name):
        container.reload()
        if container.status == "running":
            return None
        output, errors = container.get_logs()
    return f"the container of {name} is {container.status}; its log ends:\n{_end(output)}\n{_end(errors)}"


def _end(output: bytes) -> str:
    return output.decode(errors="replace")[-1000:].strip()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever the engine's library raises (it has no common root), as a ServiceError that says what to do."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        raise ServiceError(
            f"Docker cannot run {name}: {redact(str(error))}; check that `docker info` answers and that the image "
            "is here or can be pulled (TICKPROOF_POSTGRES_IMAGE and TICKPROOF_REDIS_IMAGE name others)"
        ) from error
