from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.errors import ConfigError
from harness.recordings import catalogue
from harness.recordings.format import load
from harness.replay.faults.plan import find_plan, read_plan
from harness.results.store import RunFolder
from harness.run.runner import Choice, Runner
from harness.run.scenario import choose, with_faults

if TYPE_CHECKING:
    from pathlib import Path

    from harness.results.model import Result, Trial
    from harness.run.scenario import Resolved


class Silent:
    def note(self, text: str) -> None:
        pass

    def trial_done(self, trial: Trial) -> None:
        pass


def chosen(*stacks: str) -> list[Resolved]:
    found = choose(["ws-flood"], "smoke", catalogue.DEFAULT_RECORDING, list(stacks))
    return [
        msgspec.structs.replace(resolved, scenario=msgspec.structs.replace(resolved.scenario, a_a=False))
        for resolved in found
    ]


NO_LOSS = "that lose and alter nothing"


def listed(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result.scenarios[0].settings["faults"]["faults"]
    return found


def run(scenarios: list[Resolved], folder: Path) -> Result:
    choice = Choice(
        run_id=folder.name,
        profile="smoke",
        scenarios=scenarios,
        recording=load(catalogue.find(catalogue.DEFAULT_RECORDING)),
        services="auto",
        seed=1,
        command=[],
    )
    return Runner(choice, RunFolder.create(folder, folder.name), Silent(), {}).run()


def test_cuts_that_lose_nothing_leave_every_stack_deciding_as_without_them(tmp_path: Path) -> None:
    plan = read_plan(find_plan("cuts"))
    undisturbed = run(chosen("asyncio+json+none"), tmp_path / "undisturbed")
    cut = run(with_faults(chosen("uvloop+orjson+none"), plan), tmp_path / "cut")
    (expected,) = undisturbed.trials
    assert [trial.error for trial in (expected, *cut.trials)] == [None] * 3
    assert {trial.digest for trial in cut.trials} == {expected.digest}
    assert {trial.frames for trial in cut.trials} == {expected.frames}
    assert undisturbed.warnings == []
    assert cut.warnings == [
        f"ws-flood: replayed with {len(listed(cut))} faults on purpose (seed {plan.seed}) {NO_LOSS}"
    ]
    assert "faults" not in undisturbed.scenarios[0].settings
    settings = cut.scenarios[0].settings["faults"]
    assert (settings["seed"], settings["lossless"]) == (plan.seed, True)
    assert [fault["kind"] for fault in listed(cut)].count("cut") == 6
    assert all(isinstance(fault["frame"], int) for fault in listed(cut))


def test_frames_that_are_altered_reach_all_stacks_alike(tmp_path: Path) -> None:
    plan = msgspec.convert(
        {
            "seed": 5,
            "fault": [
                {"kind": "malformed", "count": 20},
                {"kind": "duplicate", "count": 20},
                {"kind": "gap", "count": 20, "only": "depth"},
            ],
        },
        type(read_plan(find_plan("cuts"))),
    )
    result = run(with_faults(chosen("uvloop+orjson+none"), plan), tmp_path / "altered")
    assert [trial.error for trial in result.trials] == [None, None]
    assert len({trial.digest for trial in result.trials}) == 1
    assert {trial.counters["malformed"] for trial in result.trials} == {20}
    assert result.scenarios[0].settings["faults"]["lossless"] is False


def test_faults_want_a_scenario_that_replays() -> None:
    with pytest.raises(ConfigError, match="none of the scenarios replays"):
        with_faults(choose(["json"], "smoke", "any", []), read_plan(find_plan("cuts")))
