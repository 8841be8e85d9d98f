from __future__ import annotations

import msgspec
import pytest

from harness.bot.settings import BotSettings
from harness.run.checks import problems_of
from harness.run.messages import Outcome

STACK = "uvloop+orjson+redis"
GOOD = Outcome(
    active={
        "loop": "uvloop.Loop",
        "codec": "orjson.loads",
        "cache": "Valkey 9.1.2",
        "transport": "websockets.asyncio.client.ClientConnection",
    },
    cache_hits=7,
    decisions=20,
    counters={"rows_written": 5, "trades_opened": 5, "rows_closed": 4, "trades_closed": 4},
)


def problems(**changes: object) -> str:
    return "; ".join(problems_of(STACK, msgspec.structs.replace(GOOD, **changes), BotSettings()))


def test_a_good_trial_has_no_problem() -> None:
    assert problems() == ""


@pytest.mark.parametrize(
    ("slot", "what_ran", "words"),
    [
        ("loop", "asyncio.unix_events._UnixSelectorEventLoop", "loop: uvloop was asked for, asyncio"),
        ("codec", "json.decoder.JSONDecoder.decode", "codec: orjson was asked for, json"),
        ("transport", "builtins.NoneType", "transport: websockets was asked for"),
        ("cache", "", "cache: redis was asked for, nothing answered"),
    ],
)
def test_another_backend_than_the_one_named_fails_the_trial(slot: str, what_ran: str, words: str) -> None:
    assert words in problems(active={**GOOD.active, slot: what_ran})


def test_a_cache_that_never_had_a_hit_fails_the_trial() -> None:
    assert "never had a hit" in problems(cache_hits=0)


def test_a_cache_where_none_was_asked_for_fails_the_trial() -> None:
    assert "none was asked for" in "; ".join(problems_of("uvloop+orjson+none", GOOD, BotSettings()))


def test_no_row_or_missing_rows_fail_the_trial() -> None:
    assert "no row was written" in problems(counters={**GOOD.counters, "rows_written": 0})
    assert "trades_closed is 4, but rows_closed is 3" in problems(counters={**GOOD.counters, "rows_closed": 3})


def test_fewer_than_twenty_decisions_are_an_error_and_not_equality() -> None:
    assert "only 19 decisions" in problems(decisions=19)


def test_a_component_trial_is_judged_by_the_slots_it_used() -> None:
    outcome = Outcome(active={"codec": "orjson.loads"})
    assert problems_of("asyncio+orjson+none", outcome, None) == []
    assert problems_of("asyncio+json+none", outcome, None) != []
