from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.backends.registry import registry
from harness.errors import ServiceError
from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from harness.backends.contracts import Codec, LoopFactory
    from harness.services.opening import Services


@pytest.fixture(scope="session")
def needs() -> Callable[[str, str], None]:
    """Skips a test whose backend is not installed, saying which and how to install it."""

    def check(slot: str, name: str) -> None:
        if not registry().is_installed(slot, name):
            pytest.skip(f"{slot} backend {name!r} is not installed: pip install 'tickproof[{name}]'")

    return check


@pytest.fixture(params=["json", "orjson", "msgspec"])
def codec(request: pytest.FixtureRequest, needs: Callable[[str, str], None]) -> Codec:
    """Each codec that ships."""
    needs("codec", request.param)
    return registry().codec(request.param)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest, needs: Callable[[str, str], None]) -> LoopFactory:
    """Each loop that ships."""
    needs("loop", request.param)
    return registry().loop(request.param)


@pytest.fixture
def runner(loop_factory: LoopFactory) -> Iterator[asyncio.Runner]:
    """Runs coroutines on each loop that ships."""
    with asyncio.Runner(loop_factory=loop_factory) as running:
        yield running


def _redis_server() -> Iterator[Services]:
    try:
        with open_services("auto", environ={}, want=["redis"]) as services:
            yield services
    except ServiceError as error:
        pytest.skip(f"no Redis-compatible server: {str(error).splitlines()[0]}")


@pytest.fixture(scope="session")
def redis_url(needs: Callable[[str, str], None]) -> Iterator[str]:
    """A real Redis-compatible server, shared by all tests that leave it alone."""
    needs("cache", "redis")
    for services in _redis_server():
        assert services.redis is not None
        yield services.redis.url


@pytest.fixture
def own_redis(needs: Callable[[str, str], None]) -> Iterator[Services]:
    """A real Redis-compatible server that a test may kill or reconfigure."""
    needs("cache", "redis")
    yield from _redis_server()


@pytest.fixture
def tcp_server() -> Callable[[Callable[..., Awaitable[None]]], AbstractAsyncContextManager[int]]:
    """Serves TCP with a coroutine of reader and writer; the port, until the block ends and all were served."""

    @contextlib.asynccontextmanager
    async def serving(handler: Callable[..., Awaitable[None]]) -> AsyncIterator[int]:
        tasks = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(asyncio.current_task())
            with contextlib.suppress(ConnectionError):
                await handler(reader, writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*filter(None, tasks))

    return serving
