from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import BackendNotInstalled, ConfigError, TickproofError, UnknownName
from harness.run.scenario import PROFILES, Queries, choose, read, shipped

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
