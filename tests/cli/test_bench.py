from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import ExitCode
from harness.results.store import read_result
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended, Running

    Tickproof = Callable[..., Ended]
    Start = Callable[..., Running]

#: Runs on a bare installation: two stacks without any optional package, one scenario.
BARE = ("--stack", "asyncio+msgspec+memory")
SMALL = ("bench", "--profile", "smoke", "--scenario", "ws-flood", *BARE)


def run_folder(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "reports").iterdir()
    return found


def trials_kept(tmp_path: Path) -> int:
    files = list(tmp_path.glob("reports/*/trials.jsonl"))
    return len(files[0].read_bytes().splitlines()) if files else 0


def test_a_smoke_run_in_an_empty_folder_proves_equality_and_shows_no_speed(
    tickproof: Tickproof, tmp_path: Path
) -> None:
    ended = tickproof(*SMALL)
    assert ended.status == ExitCode.GOOD, ended
    result = read_result(run_folder(tmp_path))
    assert result.run.complete
    assert {trial.arm for trial in result.trials} == {"asyncio+json+none", "asyncio+msgspec+memory", "a/a"}
    assert len({trial.digest for trial in result.trials}) == 1
    assert all(trial.status == "ok" and trial.decisions >= 20 for trial in result.trials)
    assert all(trial.counters["rows_written"] == trial.counters["trades_opened"] > 0 for trial in result.trials)
    assert result.trials[0].counters["dashboard_polls"] > 0
    page = (run_folder(tmp_path) / "report.html").read_text(encoding="utf-8")
    for text in (page, ended.out):
        assert "Not a measurement" in text
        assert "messages/s" not in text
    assert str(Path("reports") / run_folder(tmp_path).name / "report.html") in ended.out


def test_the_json_form_says_where_the_result_is(tickproof: Tickproof, tmp_path: Path) -> None:
    ended = tickproof("bench", "--scenario", "json", "--blocks", "2", "--stack", "asyncio+msgspec+none", "--json")
    assert ended.status == ExitCode.GOOD, ended
    said = json.loads(ended.out)
    assert said["exit_code"] == 0
    result = read_result(tmp_path / said["result"])
    assert {trial.arm for trial in result.trials} == {"asyncio+json+none", "asyncio+msgspec+none"}
    assert result.environment.services == {}


def test_the_seed_repeats_the_order(tickproof: Tickproof, tmp_path: Path) -> None:
    orders = []
    for out in ("one", "two"):
        ended = tickproof(
            *("bench", "--scenario", "json", "--profile", "smoke", "--blocks", "2", "--seed", "11", "--out", out),
            *("--stack", "asyncio+msgspec+none"),
        )
        assert ended.status == ExitCode.GOOD, ended
        (folder,) = (tmp_path / out).iterdir()
        trials = read_result(folder).trials
        orders.append([(trial.block, trial.position, trial.arm, trial.seed) for trial in trials])
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--stack", "trio+json+none"), "unknown loop backend 'trio'; known: asyncio, uvloop"),
        (("--stack", "asyncio+simdjson+none"), "known: json, msgspec, orjson"),
        (("--stack", "uvloop"), "loop+codec+cache"),
        (("--scenario", "ws"), "unknown scenario 'ws'; known: json, queries, ws-flood, ws-paced"),
        (("--profile", "fast"), "unknown profile 'fast'; known: full, quick, smoke"),
        (("--recording", "spot"), "spot-30-symbols"),
        (("--recording", "none.jsonl"), "none.jsonl"),
        (("--services", "podman", *BARE), "unknown services mode 'podman'"),
        (("--blocks", "0"), "greater than or equal to 1"),
        (("--bogus",), "bogus"),
    ],
)
def test_bad_usage_names_what_is_known_and_leaves_nothing(
    tickproof: Tickproof, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    ended = tickproof("bench", *arguments)
    assert ended.status == ExitCode.BAD_INPUT
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not list((tmp_path / "reports").glob("*")) if (tmp_path / "reports").exists() else True


def test_a_cut_recording_is_refused_with_its_line(tickproof: Tickproof, tmp_path: Path) -> None:
    assert tickproof("recording", "generate", "--profile", "spot-30-symbols", "whole.jsonl").status == 0
    whole = (tmp_path / "whole.jsonl").read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(whole[: len(whole) // 2])
    ended = tickproof("bench", "--recording", "cut.jsonl", *BARE)
    assert ended.status == ExitCode.BAD_INPUT
    assert "cut.jsonl, line " in ended.err


def test_a_recording_of_ten_gigabytes_is_refused_without_reading_it(tickproof: Tickproof, tmp_path: Path) -> None:
    with (tmp_path / "huge.jsonl").open("wb") as file:
        file.truncate(10 * 2**30)
    ended = tickproof("bench", "--recording", "huge.jsonl", *BARE)
    assert ended.status == ExitCode.BAD_INPUT
    assert "line 1" in ended.err


def test_list_and_dry_run_run_nothing(tickproof: Tickproof, tmp_path: Path) -> None:
    assert "ws-flood" in tickproof("bench", "--list").out
    plan = tickproof("bench", "--dry-run", "--scenario", "ws-flood", "--stack", "asyncio+msgspec+none")
    assert "asyncio+msgspec+none" in plan.out
    assert "min" in plan.out
    assert not (tmp_path / "reports").exists()


def test_a_database_that_does_not_answer_is_told_without_its_password(tickproof: Tickproof) -> None:
    ended = tickproof(
        *SMALL, "--services", "url",
        DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/x", REDIS_URL="redis://:hunter2@127.0.0.1:1",
    )  # fmt: skip
    assert ended.status == ExitCode.BAD_INPUT
    assert "127.0.0.1:1" in ended.err
    assert "hunter2" not in ended.err + ended.out


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_trials_and_leaves_nothing_running(
    start: Start, tmp_path: Path, by: signal.Signals
) -> None:
    running = start("bench", "--scenario", "ws-flood", "--stack", "asyncio+msgspec+memory", "--blocks", "50")
    running.wait_until(lambda: trials_kept(tmp_path) >= 2)
    ended = running.end(by)
    assert ended.status == ExitCode.NOT_TRUSTWORTHY, ended
    assert running.left_running() == []
    result = read_result(run_folder(tmp_path))
    assert not result.run.complete
    assert result.run.broken_by == "interrupted"
    assert len(result.trials) >= 2
    assert (run_folder(tmp_path) / "report.html").exists()


def test_an_interrupt_before_the_first_trial_leaves_nothing_running(start: Start) -> None:
    running = start("bench", "--scenario", "ws-flood", "--stack", "asyncio+msgspec+memory")
    running.wait_until(lambda: any(child.name().startswith("postgres") for child in running.look()))
    ended = running.end(signal.SIGINT)
    assert ended.status == ExitCode.NOTHING_MEASURED, ended
    assert "Traceback" not in ended.err
    assert running.left_running() == []


def folders_of(pid: int) -> list[Path]:
    """Temporary folders that a process of this id made and that are still there."""
    parents = {Path(tempfile.gettempdir()), Path("/tmp")}  # noqa: S108 - where the program makes them
    found = [path for parent in parents for path in parent.glob("tickproof-*/owner.json")]
    return [path.parent for path in found if json.loads(path.read_bytes())["owner"]["pid"] == pid]


def test_after_a_kill_nothing_runs_and_the_next_start_sweeps(
    start: Start, tickproof: Tickproof, tmp_path: Path
) -> None:
    running = start("bench", "--scenario", "ws-flood", "--stack", "asyncio+msgspec+memory", "--blocks", "50")
    running.wait_until(lambda: trials_kept(tmp_path) >= 1)
    running.end(signal.SIGKILL)
    assert running.left_running() == []
    assert len(folders_of(running.process.pid)) >= 2  # two servers', and perhaps a trial's
    own = {"XDG_RUNTIME_DIR": str(tmp_path)}  # not the servers that somebody may have running
    assert tickproof("services", "start", **own).status == ExitCode.GOOD
    assert tickproof("services", "stop", **own).status == ExitCode.GOOD
    assert folders_of(running.process.pid) == []


def test_a_server_that_dies_in_mid_run_ends_it_with_its_trials_kept(start: Start, tmp_path: Path) -> None:
    running = start("bench", "--scenario", "ws-flood", "--stack", "asyncio+msgspec+memory", "--blocks", "50")
    running.wait_until(lambda: trials_kept(tmp_path) >= 1)
    postgres = min(child.pid for child in running.look() if child.name().startswith("postgres"))
    os.kill(postgres, signal.SIGKILL)
    ended = running.end()
    assert ended.status == ExitCode.NOT_TRUSTWORTHY, ended
    assert "died" in ended.out
    assert running.left_running() == []
    assert len(read_result(run_folder(tmp_path)).trials) >= 1


def test_a_codec_that_changes_a_digit_is_found_with_the_frame_and_both_values(
    tickproof: Tickproof, tmp_path: Path
) -> None:
    """A plugin by the same door as anybody's: it reads one price in a thousand one digit wrong."""
    (tmp_path / "liar.py").write_text(
        "import json\n"
        "class Liar:\n"
        "    errors = (ValueError,)\n"
        "    def __init__(self): self.seen = 0\n"
        "    @property\n"
        "    def engine(self): return self.loads\n"
        "    def loads(self, data):\n"
        "        document = json.loads(data.decode())\n"
        "        self.seen += 1\n"
        "        if isinstance(document, dict) and self.seen % 1000 == 0 and 'b' in document and 'B' in document:\n"
        "            document['b'] = repr(float(document['b']) * 1.001)\n"
        "        return document\n"
        "    def dumps(self, value): return json.dumps(value, default=str).encode()\n"
    )
    metadata = tmp_path / "liar-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: liar\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[tickproof.codecs]\nliar = liar:Liar\n")
    path = os.pathsep.join((str(tmp_path), python_environment()["PYTHONPATH"]))
    ended = tickproof(
        *("bench", "--profile", "smoke", "--scenario", "ws-flood", "--stack", "asyncio+liar+none"), PYTHONPATH=path
    )
    assert ended.status == ExitCode.OUTPUTS_DIFFER, ended
    result = read_result(run_folder(tmp_path))
    (warning,) = result.warnings
    assert "first divergence: asyncio+json+none decided [frame " in warning
    assert "asyncio+liar+none decided [frame " in warning
    assert "differ" in ended.out
