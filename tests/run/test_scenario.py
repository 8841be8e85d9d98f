from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import BackendNotInstalled, ConfigError, TickproofError, UnknownName
from harness.replay.faults.fault import Faults, Gap
from harness.replay.faults.plan import FaultPlan
from harness.replay.faults.rules import GapRule
from harness.run.scenario import PROFILES, Flood, Paced, Queries, Resolved, choose, read, shipped

if TYPE_CHECKING:
    from pathlib import Path

RECORDING = "spot-30-symbols"

pytestmark = pytest.mark.usefixtures("everything_installed")


def test_the_four_scenarios_ship_in_their_order() -> None:
    assert list(shipped()) == ["ws-flood", "ws-paced", "json", "queries"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_scenario_has_every_profile(profile: str) -> None:
    resolved = choose([], profile, RECORDING, [])  # type: ignore[arg-type]
    assert [item.name for item in resolved] == list(shipped())
    assert all(item.effort.blocks >= 1 for item in resolved)


def test_the_default_measures_the_flood_in_at_least_six_blocks_and_all_eight_stacks() -> None:
    (flood,) = choose(["ws-flood"], "quick", RECORDING, [])
    assert flood.effort.blocks >= 6
    assert len(flood.scenario.stacks) == 8


def test_the_full_profile_covers_the_grid_and_the_default_a_corner_of_it() -> None:
    (full,) = choose(["queries"], "full", RECORDING, [])
    (quick,) = choose(["queries"], "quick", RECORDING, [])
    cells = {cell for grid in full.effort.grids for cell in grid.cells()}
    assert {cell.rows for cell in cells} == {10_000, 100_000, 500_000}
    assert {cell.round_trip_ms for cell in cells} == {0, 1, 5, 15, 30}
    assert {cell.connection for cell in cells} == {"pooled", "per-call"}
    assert {cell.index for cell in cells} == {True, False}
    assert len(cells) == 60
    assert {cell for grid in quick.effort.grids for cell in grid.cells()} < cells
    assert isinstance(full.scenario, Queries)


def test_an_unknown_scenario_profile_or_stack_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="unknown scenario 'wsflood'; known: json, queries, ws-flood, ws-paced"):
        choose(["wsflood"], "quick", RECORDING, [])
    with pytest.raises(UnknownName, match="unknown profile 'fast'; known: full, quick, smoke"):
        choose([], "fast", RECORDING, [])  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="unknown loop backend 'trio'; known: asyncio, uvloop"):
        choose([], "quick", RECORDING, ["trio+json+none"])
    with pytest.raises(TickproofError, match=r"form loop\+codec\+cache"):
        choose([], "quick", RECORDING, ["uvloop"])


def test_named_stacks_run_beside_the_reference_only() -> None:
    (flood,) = choose(["ws-flood"], "quick", RECORDING, ["asyncio+msgspec+memory"])
    assert flood.scenario.stacks == ["asyncio+json+none", "asyncio+msgspec+memory"]


def test_a_stack_that_is_not_installed_is_told_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.backends.registry.Registry.is_installed", lambda _self, _slot, name: name != "uvloop")
    with pytest.raises(BackendNotInstalled, match=r"pip install 'tickproof\[uvloop\]'"):
        choose([], "quick", RECORDING, [])


def test_a_wrong_key_names_the_file_the_key_and_what_is_allowed(tmp_path: Path) -> None:
    text = shipped()["ws-flood"].read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("warm_up_frames", "warmup_frames"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml.*warm"):
        read(path)


def test_a_reference_that_is_not_among_the_stacks_is_refused(tmp_path: Path) -> None:
    text = shipped()["ws-flood"].read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('reference = "asyncio+json+none"', 'reference = "uvloop+msgspec+none"'), "utf-8")
    with pytest.raises(ConfigError, match="reference"):
        read(path)


def test_the_resolved_settings_say_what_was_chosen_and_hold_no_other_profile() -> None:
    (flood,) = choose(["ws-flood"], "smoke", RECORDING, [])
    settings = flood.settings()
    assert settings["effort"]["blocks"] == 1
    assert settings["bot"]["market"]["slow"] == 40
    assert "profiles" not in settings


@pytest.mark.parametrize("name", ["ws-flood", "ws-paced"])
def test_faults_may_be_asked_for_and_are_told_as_the_replay_resolved_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.toml"
    text = shipped()[name].read_text(encoding="utf-8")
    path.write_text(f'{text}\n[faults]\nseed = 7\n[[faults.fault]]\nkind = "gap"\ncount = 1\n', encoding="utf-8")
    scenario = read(path)
    resolved = Resolved(scenario=scenario, effort=scenario.profiles["smoke"], recording=RECORDING)
    assert isinstance(scenario, Flood | Paced)
    assert scenario.faults == FaultPlan(seed=7, fault=(GapRule(count=1),))
    assert resolved.settings()["faults"]["fault"][0]["kind"] == "gap"
    told = resolved.settings(Faults(seed=7, faults=(Gap(frame=31),)))["faults"]
    assert msgspec.json.encode(told) == b'{"seed":7,"faults":[{"kind":"gap","frame":31}],"lossless":false}'


def test_a_scenario_without_faults_says_nothing_of_them() -> None:
    (flood,) = choose(["ws-flood"], "smoke", RECORDING, [])
    assert "faults" not in flood.settings()


def test_a_wrong_fault_names_its_place_in_the_scenario(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = shipped()["ws-flood"].read_text(encoding="utf-8")
    path.write_text(f'{text}\n[[faults.fault]]\nkind = "gap"\nat = 1\nby = 2\n', encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"faults\.fault\[0\]: unknown key 'by'; allowed: at, count, chance, every, only"
    ):
        read(path)


def test_faults_have_no_place_where_nothing_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = shipped()["json"].read_text(encoding="utf-8")
    path.write_text(f"{text}\n[faults]\nseed = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"unknown key 'faults'; allowed: name, title"):
        read(path)
