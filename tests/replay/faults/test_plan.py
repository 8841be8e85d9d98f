from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from harness.config import MAX_CONFIG_BYTES, parse_toml
from harness.errors import ConfigError, UnknownName
from harness.replay.faults.fault import Fault
from harness.replay.faults.plan import FaultPlan, find_plan, read_plan, shipped_plans
from harness.replay.faults.rules import ContentRule, FaultRule, LineRule

if TYPE_CHECKING:
    from pathlib import Path

KINDS = sorted(str(kind.__struct_config__.tag) for kind in get_args(FaultRule))


def error_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, FaultPlan, source="made.toml")
    assert str(caught.value).startswith("made.toml: ")
    return caught.value


def test_there_are_fifteen_kinds_and_each_is_one_of_content_or_line() -> None:
    assert len(KINDS) == 15
    assert all(issubclass(kind, ContentRule) is not issubclass(kind, LineRule) for kind in get_args(FaultRule))
    assert sorted(str(kind.__struct_config__.tag) for kind in get_args(Fault)) == KINDS


def test_an_empty_file_is_a_plan_without_faults(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    path.write_text("", "utf-8")
    assert read_plan(path) == FaultPlan(seed=0, fault=())


def test_an_unknown_kind_is_told_with_the_known_ones() -> None:
    error = error_of('[[fault]]\nkind = "gap"\nat = 1\n[[fault]]\nkind = "explode"\nat = 1')
    assert error.key == "fault[1].kind"
    assert error.problem == f"unknown kind 'explode'; known: {', '.join(KINDS)}"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('kind = "duplicate"\nat = 1\ntime = 3', "fault[0]",
         "unknown key 'time'; allowed: at, count, chance, every, only, times"),
        ('kind = "silence"\nat = 1\nseconds = 1\nonly = "depth"', "fault[0]",
         "unknown key 'only'; allowed: at, count, chance, every, on, seconds"),
        ("at = 1", "fault[0]", "Object missing required field `kind`"),
        ('kind = "burst"\nat = 1', "fault[0]", "Object missing required field `frames`"),
        ('kind = "gap"', "fault[0]", "wants exactly one of at, count, chance, every; has none"),
        ('kind = "gap"\nat = 1\nevery = 2', "fault[0]", "wants exactly one of at, count, chance, every; has at, every"),
        ('kind = "gap"\nat = -1', "fault[0].at", "Expected `int` >= 0"),
        ('kind = "gap"\nat = [4, -1]', "fault[0].at[1]", "Expected `int` >= 0"),
        ('kind = "gap"\nat = []', "fault[0].at", "Expected `array` of length >= 1"),
        ('kind = "gap"\nat = 1.5', "fault[0].at", "Expected `int | array | null`, got `float`"),
        ('kind = "gap"\ncount = 10001', "fault[0].count", "Expected `int` <= 10000"),
        ('kind = "gap"\nchance = 0.0', "fault[0].chance", "Expected `float` > 0.0"),
        ('kind = "gap"\nchance = nan', "fault[0].chance", "Expected `float` > 0.0"),
        ('kind = "gap"\nevery = 0', "fault[0].every", "Expected `int` >= 1"),
        ('kind = "duplicate"\nat = 1\ntimes = 1', "fault[0].times", "Expected `int` >= 2"),
        ('kind = "duplicate"\nat = 1\ntimes = 1001', "fault[0].times", "Expected `int` <= 1000"),
        ('kind = "reorder"\nat = 1\nby = 0', "fault[0].by", "Expected `int` >= 1"),
        ('kind = "malformed"\nat = 1\nway = "x"', "fault[0].way", "Invalid enum value 'x'"),
        ('kind = "truncated"\nat = 1\nfraction = 1.0', "fault[0].fraction", "Expected `float` < 1.0"),
        ('kind = "oversized"\nat = 1\nbytes = 16777217', "fault[0].bytes", "Expected `int` <= 16777216"),
        ('kind = "clock_step"\nat = 1\nms = 1000000000000', "fault[0].ms", "Expected `int` <= 100000000000"),
        ('kind = "cut"\nat = 1\nhow = "axe"', "fault[0].how", "Invalid enum value 'axe'"),
        ('kind = "cut"\nat = 1\ncode = 1001', "fault[0]", 'code is of a cut with how = "clean", not "reset"'),
        ('kind = "cut"\nat = 1\nhow = "clean"\ncode = 1006', "fault[0].code", "Invalid enum value 1006"),
        ('kind = "cut"\nat = 1\nskip = 1\nresume = "live"', "fault[0]",
         'skip goes with resume = "next"; with "live", what passes meanwhile is lost'),
        ('kind = "close_code"\nat = 1\ncode = 1000\nskip = 1\nresume = "live"', "fault[0]",
         'skip goes with resume = "next"; with "live", what passes meanwhile is lost'),
        ('kind = "close_code"\nat = 1\ncode = 65536', "fault[0].code", "Expected `int` <= 65535"),
        (f'kind = "close_code"\nat = 1\ncode = 1000\nreason = "{"x" * 124}"', "fault[0].reason",
         "Expected `str` of length <= 123"),
        (f'kind = "close_code"\nat = 1\ncode = 1000\nreason = "{"ü" * 62}"', "fault[0]",
         "reason is longer than 123 bytes"),
        ('kind = "silence"\nat = 1\nseconds = inf', "fault[0].seconds", "Expected `float` <= 86400.0"),
        ('kind = "trickle"\nat = 1\nbytes_per_second = 0\nframes = 1', "fault[0].bytes_per_second",
         "Expected `int` >= 1"),
        ('kind = "ping_flood"\nat = 1\npings = 100001', "fault[0].pings", "Expected `int` <= 100000"),
        ('kind = "refuse"\nat = 1\nstatus = 503', "fault[0]", 'status is of a refusal with how = "http", not "reset"'),
        ('kind = "refuse"\nat = 1\nhow = "http"\nstatus = 200', "fault[0].status", "Expected `int` >= 400"),
        ('kind = "refuse"\nat = 1\non = "everyone"', "fault[0].on", "Invalid enum value 'everyone'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place_and_what_is_allowed(text: str, key: str, problem: str) -> None:
    error = error_of(f"[[fault]]\n{text}")
    assert (error.key, error.problem) == (key, problem)


@pytest.mark.parametrize("seed", ["-1", "9223372036854775808", "1.5", '"a"'])
def test_a_seed_is_a_64_bit_number(seed: str) -> None:
    assert error_of(f"seed = {seed}").key == "seed"


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[fault]]\nkind = "gaps"\nat = 1', "utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: fault\[0\]\.kind: unknown kind 'gaps'; known: binary, burst"):
        read_plan(path)
    path.write_text("#" * (MAX_CONFIG_BYTES + 1), "utf-8")
    with pytest.raises(ConfigError, match="larger than"):
        read_plan(path)
    with pytest.raises(ConfigError, match="no such file"):
        read_plan(tmp_path / "other.toml")


def test_the_shipped_plan_has_a_line_of_every_kind() -> None:
    assert sorted(shipped_plans()) == ["cuts", "rough-day"]
    plan = read_plan(shipped_plans()["rough-day"])
    assert sorted({str(rule.__struct_config__.tag) for rule in plan.fault}) == KINDS


def test_a_plan_is_found_by_name_or_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert find_plan("rough-day") == shipped_plans()["rough-day"]
    assert find_plan(str(path)) == path
    with pytest.raises(UnknownName, match="unknown plan of faults 'rough-night'; known: cuts, rough-day"):
        find_plan("rough-night")
