"""Profiles: those that ship, files, wrong ones, and as many symbols at whatever rate one asks for."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import ConfigError, RecordingError, UnknownName
from harness.exchange import streams
from harness.recordings import catalogue, generate
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.generate import find_profile, profile_names
from harness.recordings.generate.symbols import per_second, shares_of, streams_of, symbols_of

if TYPE_CHECKING:
    from pathlib import Path

PROFILES = find(DEFAULT_RECORDING).parent


def _text(name: str) -> str:
    return (PROFILES / f"{name}.toml").read_text(encoding="utf-8")


def test_three_profiles_ship() -> None:
    assert profile_names() == ["spot-30-symbols", "stress", "usdm-10-symbols"]


def test_a_profile_is_found_by_name_or_file_and_what_is_given_replaces_what_stands_there(tmp_path: Path) -> None:
    found = find_profile(DEFAULT_RECORDING, seed=5, rate=2.5, more_symbols=3, duration_ms=1_000)
    assert (found.seed, found.rate, found.more_symbols, found.duration_ms) == (5, 2.5, 3, 1_000)
    assert find_profile(DEFAULT_RECORDING, seed=5).rate == 1.0
    path = tmp_path / "mine.toml"
    path.write_text(_text(DEFAULT_RECORDING).replace(DEFAULT_RECORDING, "mine"), encoding="utf-8")
    assert find_profile(str(path)).name == "mine"


def test_an_unknown_profile_tells_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=DEFAULT_RECORDING):
        find_profile("nope")


@pytest.mark.parametrize("name", ["stress", "usdm-10-symbols"])
def test_a_profile_without_a_recording_names_the_command_that_makes_one(name: str) -> None:
    assert name not in catalogue.names()
    with pytest.raises(RecordingError, match=f"generate --profile {name} {name}.jsonl.zst"):
        find(name)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("seed = 20261005", "seed = 'x'", "seed"),
        ("seed = 20261005", "sead = 1", "unknown key 'sead'"),
        ('tick_size = "0.01"', 'tick_size = "0.000000001"', "at least 0.00000001"),
        ("start_ms = 1_791_201_600_000", "start_ms = 1_791_201_600_001", "a whole minute"),
        ("duration_ms = 299_900", "duration_ms = 0", "duration_ms"),
        ('symbol = "BTCUSDT"', 'symbol = "BTCEUR"', "USDT"),
        ('symbol = "BTCUSDT"', 'symbol = "btcUSDT"', "USDT"),
        ('symbol = "BTCUSDT"', 'symbol = "ETHUSDT"', "listed twice"),
        ("miniTicker = 8", "minTicker = 4", "minTicker is none of aggTrade, "),
        ("miniTicker = 8", "markPrice = 4", "markPrice is none of aggTrade, "),
        ("miniTicker = 8", 'miniTicker = "some"', 'miniTicker is "all" or a number'),
        ("miniTicker = 8", "miniTicker = -4", 'miniTicker is "all" or a number'),
        ("seed = 20261005", "seed = 1\nmore_symbols = 2_001", "more_symbols"),
        ("seed = 20261005", "seed = 1\nmore_symbols = 1_980", "2,000 together"),
        ("seed = 20261005", "seed = 1\nrate = 0.0", "rate"),
    ],
)
def test_a_wrong_profile_is_named_with_file_and_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in _text(DEFAULT_RECORDING)
    path = tmp_path / "wrong.toml"
    path.write_text(_text(DEFAULT_RECORDING).replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as caught:
        find_profile(str(path))
    assert caught.value.source == str(path)


def test_a_wrong_replacement_is_named() -> None:
    with pytest.raises(ConfigError, match="rate"):
        find_profile(DEFAULT_RECORDING, rate=-1.0)


@pytest.mark.parametrize("number", [1, 37, 2_000])
def test_any_number_of_symbols_is_made_up_from_the_seed(number: int) -> None:
    profile = find_profile("stress", more_symbols=number)
    found = symbols_of(profile)
    assert found == symbols_of(profile)
    assert [spec.symbol for spec in found] == [f"T{rank:03d}USDT" for rank in range(1, number + 1)]
    assert number == 1 or found != symbols_of(msgspec.structs.replace(profile, seed=1))
    for spec in found:
        assert spec.symbol.isalnum()
        assert spec.symbol.isupper()
        assert 1_000 <= spec.start_tick <= 100_000
        assert spec.price == spec.start_tick * spec.tick_size
        assert spec.tick_units >= 1
        assert spec.step_units >= 1
    assert sum(shares_of(profile)) == pytest.approx(1.0)


def test_made_up_symbols_come_after_the_listed_ones_and_take_none_of_their_names() -> None:
    listed = find_profile(DEFAULT_RECORDING).symbols
    taken = msgspec.structs.replace(listed[0], symbol="T001USDT")
    profile = msgspec.structs.replace(find_profile(DEFAULT_RECORDING, more_symbols=2), symbols=(taken, *listed[1:]))
    assert [spec.symbol for spec in symbols_of(profile)[-2:]] == ["T002USDT", "T003USDT"]


def test_shares_fall_by_rank_and_no_symbol_is_wholly_silent() -> None:
    shares = shares_of(find_profile("stress", more_symbols=2_000))
    assert list(shares) == sorted(shares, reverse=True)
    assert shares[0] / shares[9] == pytest.approx(10.0)
    assert per_second(shares[0], 1_000) == 1_000 * shares[0]
    assert per_second(shares[-1], 1) == 0.02


def test_the_streams_are_those_that_the_profile_names() -> None:
    names = [streams.parse(name) for name in streams_of(find_profile("usdm-10-symbols"))]
    assert all(stream.is_known for stream in names)
    kinds = Counter((stream.kind, stream.option) for stream in names)
    assert kinds[("markPrice", "")] == kinds[("depth", "100ms")] == kinds[("forceOrder", "")] == 10
    assert (kinds[("markPrice", "1s")], kinds[("ticker", "")], kinds[("trade", "")]) == (3, 4, 1)


def test_a_stress_recording_has_three_hundred_symbols_and_thousands_of_messages_a_second() -> None:
    profile = find_profile("stress", duration_ms=4_000)
    found = list(generate.frames(profile))
    seconds = (found[-1].at - found[0].at) / 1e9
    assert len(found) / seconds > 3_000
    tickers = Counter(json.loads(frame.body)["data"]["s"] for frame in found if b"@bookTicker" in frame.body)
    assert tickers["T001USDT"] / seconds > 200
    assert sum(frame.connection.startswith("rest:") for frame in found) == 300
    assert len(generate.header(profile).filters) == 300


def test_a_rate_multiplies_what_is_quoted_and_traded() -> None:
    def kinds(rate: float) -> Counter[str]:
        found = generate.frames(find_profile("spot-30-symbols", rate=rate, duration_ms=20_000))
        return Counter(frame.body.split(b'"', 4)[3].partition(b"@")[2].decode() for frame in found
                       if frame.connection == "market")  # fmt: skip

    slow, fast = kinds(1.0), kinds(8.0)
    for kind in ("bookTicker", "aggTrade"):
        assert 4 < fast[kind] / slow[kind] < 12
    assert fast["depth@100ms"] <= 10 * 30 * 20


def test_frames_are_made_as_they_are_asked_for() -> None:
    """A day of the stress profile: what is not asked for is not made."""
    day = find_profile("stress", more_symbols=5, duration_ms=86_400_000)
    assert len(list(islice(generate.frames(day), 2_000))) == 2_000
