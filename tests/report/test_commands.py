from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import baseline, claims, gate, history, report
from harness.errors import ConfigError, NotTrustworthy, RegressionFound, ResultError
from harness.results.model import Result
from harness.results.store import RESULT

Made = Callable[..., Result]


@pytest.fixture
def app() -> typer.Typer:
    made_app = typer.Typer()
    made_app.command()(report.report)
    made_app.command()(gate.gate)
    made_app.add_typer(claims.app, name="claims")
    made_app.add_typer(history.app, name="history")
    made_app.add_typer(baseline.app, name="baseline")
    return made_app


@pytest.fixture
def run(app: typer.Typer) -> Callable[..., str]:
    def call(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return call


def saved(folder: Path, result: Result) -> Path:
    folder.mkdir()
    (folder / RESULT).write_bytes(msgspec.json.encode(result))
    return folder


def test_report_writes_both_forms_beside_the_result_and_prints_the_path(
    made: Made, run: Callable[..., str], tmp_path: Path
) -> None:
    folder = saved(tmp_path / "run", made(blocks=2))
    assert run("report", folder / RESULT).strip() == str(folder / "report.html")
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (folder / "report.md").read_text(encoding="utf-8").startswith("# Performance upgrade report")


def test_report_goes_where_it_is_told(made: Made, run: Callable[..., str], tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(blocks=2, scenarios=("ws-flood",)))
    run("report", folder, "--out", tmp_path / "other.html")
    assert (tmp_path / "other.html").exists()
    assert (tmp_path / "other.md").exists()
    assert [file.name for file in folder.iterdir()] == [RESULT]


def test_report_prints_other_forms_and_writes_nothing(made: Made, run: Callable[..., str], tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(blocks=2, scenarios=("ws-flood",)))
    assert run("report", folder, "--markdown").startswith("# Performance upgrade report")
    assert msgspec.json.decode(run("report", folder, "--json"))["sections"]
    assert [file.name for file in folder.iterdir()] == [RESULT]


def test_report_wants_one_form_at_a_time(made: Made, run: Callable[..., str], tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(blocks=1))
    with pytest.raises(ConfigError, match="leave out one"):
        run("report", folder, "--markdown", "--json")


def test_a_result_that_is_not_there_is_an_error_of_its_own(run: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        run("report", tmp_path / "nowhere.json")


def test_gate_passes_quietly_and_fails_with_the_error_of_its_exit_code(
    made: Made, run: Callable[..., str], tmp_path: Path
) -> None:
    base = saved(tmp_path / "base", made(seed=1, noise=0.003, scenarios=("ws-flood",)))
    same = saved(tmp_path / "same", made(seed=2, noise=0.003, scenarios=("ws-flood",)))
    worse = saved(tmp_path / "worse", made(seed=3, noise=0.003, codec_gain=1.1, scenarios=("ws-flood",)))
    assert "pass: 14 comparisons, none worse" in run("gate", same, "--baseline", base)
    with pytest.raises(RegressionFound, match=r"asyncio\+orjson\+none in ws-flood"):
        run("gate", worse, "--baseline", base)
    decision = msgspec.json.decode(run("gate", same, "--baseline", base, "--json"))
    assert (decision["passed"], decision["exit_code"], len(decision["rows"])) == (True, 0, 14)


def test_gate_reads_a_policy_and_names_a_mistake_in_it(made: Made, run: Callable[..., str], tmp_path: Path) -> None:
    base = saved(tmp_path / "base", made(seed=1, noise=0.02, scenarios=("ws-flood",)))
    head = saved(tmp_path / "head", made(seed=2, noise=0.02, scenarios=("ws-flood",)))
    policy = tmp_path / "policy.toml"
    policy.write_text('metrics = ["messages_per_second"]\nmargins = { messages_per_second = 0.2 }\n', encoding="utf-8")
    assert "pass: 7 comparisons" in run("gate", head, "--baseline", base, "--policy", policy)
    policy.write_text("margin = 0.2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown key 'margin'; allowed: metrics, margins, significance"):
        run("gate", head, "--baseline", base, "--policy", policy)


def test_claims_are_listed_and_checked(run: Callable[..., str], tmp_path: Path) -> None:
    assert "loop.ws" in run("claims", "list")
    assert len(msgspec.json.decode(run("claims", "list", "--json"))["claims"]) == 39
    mine = tmp_path / "mine.toml"
    mine.write_text('format = 1\ntitle = "t"\nsource = "s"\nclaims = []\n', encoding="utf-8")
    assert "0 claims" in run("claims", "check", mine)


def test_history_adds_and_lists(made: Made, run: Callable[..., str], tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(blocks=2, scenarios=("ws-flood",)))
    store = tmp_path / "history.sqlite"
    assert "no runs in" in run("history", "list", "--store", store)
    run("history", "add", folder, "--store", store)
    assert msgspec.json.decode(run("history", "list", "--store", store, "--json"))[0]["profile"] == "quick"


def test_a_baseline_moves_with_its_reason_and_not_to_a_broken_run(
    made: Made, run: Callable[..., str], tmp_path: Path
) -> None:
    good = saved(tmp_path / "good", made(blocks=2, scenarios=("ws-flood",)))
    bad = saved(tmp_path / "bad", made(blocks=2, scenarios=("ws-flood",), complete=False))
    target = tmp_path / "baseline.json"
    run("baseline", "update", good, "--reason", "first", "--to", target)
    assert target.read_bytes() == (good / RESULT).read_bytes()
    with pytest.raises(NotTrustworthy, match="incomplete run"):
        run("baseline", "update", bad, "--reason", "again", "--to", target)


def test_every_command_has_help_with_an_example(app: typer.Typer) -> None:
    for words in (["report"], ["gate"], ["claims", "list"], ["claims", "check"], ["history", "add"]):
        done = CliRunner().invoke(app, [*words, "--help"])
        assert done.exit_code == 0
        assert f"Example: tickproof {' '.join(words)}" in " ".join(done.output.split())


def test_the_terminal_form_shows_hostile_names_as_text(made: Made, hostile_result: Result) -> None:
    for result in (made(blocks=2), hostile_result, made(profile="smoke", blocks=1)):
        console = Console(record=True, width=200, file=Path("/dev/null").open("w", encoding="utf-8"))  # noqa: SIM115 - closed below
        report.show(result, console)
        assert "[bold]" not in console.export_text()
        console.file.close()
