from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from harness.cli.recording import app
from harness.errors import ConfigError, RecordingError, TickproofError, UnknownName
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import Recording, load

if TYPE_CHECKING:
    from pathlib import Path

RAW = (
    "wss://stream.binance.com:9443/stream?streams=btcusdt@trade <-> 1617647602.6\n"
    '1617647603.4249449: {"stream":"btcusdt@trade","data":{"E":1}}\n'
    '1617647603.3: {"stream":"btcusdt@trade","data":{"E":1}}\n'
)


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _said(*arguments: str | Path) -> str:
    result = _run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    text = (find(DEFAULT_RECORDING).parent / f"{DEFAULT_RECORDING}.toml").read_text(encoding="utf-8")
    path = tmp_path / "short.toml"
    path.write_text(text.replace("duration_ms = 299_900", "duration_ms = 3_000"), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["info", "verify", "import", "generate"])
def test_each_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: tickproof recording {command} " in " ".join(_said(command, "--help").split())


def test_a_generated_recording_is_verified_and_described(profile: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.jsonl.zst"
    assert "seed 9" in _said("generate", "--profile", profile, "--seed", "9", target)
    found = load(target)
    assert found.header.generator is not None
    assert found.header.generator.seed == 9
    assert f"{len(found.frames):,} frames" in _said("verify", target)
    assert "bookTicker" in _said("info", target)


def test_info_gives_json_for_machines(profile: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.jsonl"
    _said("generate", "--profile", profile, target)
    told = json.loads(_said("info", target, "--json"))
    assert told["frames"] == len(load(target).frames)
    assert told["kinds"][0]["kind"] == "bookTicker"


def test_info_tells_all_that_was_measured_and_compares(profile: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.jsonl"
    _said("generate", "--profile", profile, target)
    said = " ".join(_said("info", target, "--compare").split())
    for part in ("below 1 ms", "Fano", "on event time E", "E spacing", "same side", "bid price changes", "deletions"):
        assert part in said
    assert "27-40 %" in said.split("Against measured traffic")[1]


def test_import_tells_what_came_over(tmp_path: Path) -> None:
    source = tmp_path / "some.raw"
    source.write_text(RAW, encoding="utf-8")
    said = _said("import", source, tmp_path / "some.jsonl")
    assert "2 frames and 0 REST bodies, market spot" in said
    assert "1 times ran back" in said
    recording: Recording = load(tmp_path / "some.jsonl")
    assert len(recording.frames) == 2


def test_several_files_of_another_tool_become_one_recording(tmp_path: Path) -> None:
    row = "1,1.5,2,1,1,17040672{:02}000,true\n"
    for number in (0, 1):
        (tmp_path / f"S{number}-aggTrades-2024-01-01.csv").write_text(row.format(number) * 2, encoding="utf-8")
    sources = sorted(tmp_path.iterdir())
    assert "4 frames and 0 REST bodies, market usdm" in _said("import", *sources, tmp_path / "a.jsonl")
    said = _said("import", *sources, tmp_path / "b.jsonl", "--format", "binance-csv", "--from", "2024-01-01T00:00:01")
    assert "2 frames" in said
    assert load(tmp_path / "b.jsonl").header.streams == ("s0@aggTrade", "s1@aggTrade")


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        (("--format", "csv"), "unknown format 'csv'; known: binance-csv, cryptofeed, hftbacktest, tardis"),
        (("--market", "coinm"), "unknown market 'coinm'; known: spot, usdm"),
        (("--from", "noon"), "--from: 'noon' is no time"),
    ],
)
def test_an_option_of_the_import_that_is_none_is_told(tmp_path: Path, option: tuple[str, str], problem: str) -> None:
    result = _run("import", tmp_path / "a.raw", tmp_path / "a.jsonl", *option)
    assert isinstance(result.exception, TickproofError)
    assert problem in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("info", "nope"), UnknownName),
        (("verify", "nope.jsonl"), RecordingError),
        (("import", "nope.raw", "x.jsonl"), RecordingError),
        (("generate", "--profile", "nope", "x.jsonl"), UnknownName),
        (("generate", "--profile", "nope.toml", "x.jsonl"), ConfigError),
    ],
)
def test_bad_input_is_an_error_for_the_main_program_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: type[TickproofError]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(_run(*arguments).exception, error)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_recording_is_told_of_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.zst"
    path.write_bytes(find(DEFAULT_RECORDING).read_bytes()[:100_000])
    result = _run("verify", path)
    assert isinstance(result.exception, RecordingError)
    assert "the zstd stream is cut" in result.exception.problem
    assert result.exception.line > 100


def test_text_in_brackets_is_shown_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "a[red]b.raw"
    source.write_text(RAW, encoding="utf-8")
    _said("import", source, tmp_path / "a[red]b.jsonl")
    assert "a[red]b" in _said("verify", tmp_path / "a[red]b.jsonl")
