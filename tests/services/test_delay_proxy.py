from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest

from harness.errors import ServiceError
from harness.services.delay_accuracy import measure_added_round_trip
from harness.services.delay_proxy import address_of, open_delay_proxy, with_address
from harness.services.probe import postgresql_product, redis_product

if TYPE_CHECKING:
    from harness.services.opening import Services


def test_both_servers_answer_through_it(services: Services) -> None:
    assert services.redis is not None
    with (
        open_delay_proxy(services.postgresql.url, 2) as postgresql,
        open_delay_proxy(services.redis.url, 2) as redis,
    ):
        assert postgresql.url != services.postgresql.url
        assert postgresql_product(postgresql.url) == services.postgresql.product
        assert redis_product(redis.url) == services.redis.product


def test_its_round_trip_is_changed_between_queries(services: Services) -> None:
    async def fastest_ns(url: str) -> int:
        connection = await asyncpg.connect(url)
        try:
            spans = []
            for _ in range(5):
                start = time.monotonic_ns()
                await connection.fetchval("select 1")
                spans.append(time.monotonic_ns() - start)
            return min(spans)
        finally:
            await connection.close()

    with open_delay_proxy(services.postgresql.url, 0) as proxy:
        undelayed = asyncio.run(fastest_ns(proxy.url))
        for round_trip_ms in (30, 10):
            proxy.set_round_trip(round_trip_ms)
            assert proxy.round_trip_ms == round_trip_ms
            assert asyncio.run(fastest_ns(proxy.url)) >= round_trip_ms * 1_000_000
        proxy.set_round_trip(0)
        assert undelayed > 0


def test_it_is_gone_after_the_block(services: Services) -> None:
    with open_delay_proxy(services.postgresql.url, 1) as proxy:
        assert os.path.exists(f"/proc/{proxy.pid}") or not os.path.exists("/proc/self")  # noqa: PTH110
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_a_proxy_that_died_is_an_error(services: Services) -> None:
    with open_delay_proxy(services.postgresql.url, 1) as proxy:
        os.kill(proxy.pid, signal.SIGKILL)
        os.waitid(os.P_PID, proxy.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ServiceError, match="delay proxy"):
            proxy.set_round_trip(5)


@pytest.mark.parametrize("round_trip_ms", [-1, float("nan"), float("inf")])
def test_a_round_trip_must_be_a_number_of_milliseconds(round_trip_ms: float) -> None:
    with pytest.raises(ValueError, match="0 or more"), open_delay_proxy("redis://127.0.0.1", round_trip_ms):
        pass


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost/0", ("localhost", 6379)),
        ("postgresql://me:pw@10.0.0.1/db", ("10.0.0.1", 5432)),
        ("postgres://me@[::1]:6000/db", ("::1", 6000)),
    ],
)
def test_the_address_is_read_from_the_url(url: str, address: tuple[str, int]) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize(
    "url", ["unix:///tmp/redis.sock", "postgresql:///db", "postgresql://me:geheim@a:1,b:2/db", "redis://:geheim@a:x"]
)
def test_a_url_without_one_address_is_refused_and_its_password_not_shown(url: str) -> None:
    with pytest.raises(ServiceError, match="one host and port") as caught:
        address_of(url)
    assert "geheim" not in str(caught.value)


def test_only_the_address_of_the_url_is_replaced() -> None:
    url = "postgresql://me:p%40ss@db.example:5432/trades?sslmode=disable"
    assert with_address(url, 7000) == "postgresql://me:p%40ss@127.0.0.1:7000/trades?sslmode=disable"


def test_what_it_adds_is_measured_and_never_less_than_stated() -> None:
    found = measure_added_round_trip([0, 3], exchanges=20)
    assert [added.stated_ms for added in found] == [0, 3]
    assert all(added.n == 20 for added in found)
    # The delay itself is never short; only the exchange past the proxy, which is taken off, varies.
    assert found[1].p50_ms > 2
    assert found[1].error_ms == pytest.approx(found[1].p50_ms - 3)
