from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.proof import codec_in_use, discrepancies, loop_in_use, transport_in_use
from harness.backends.registry import registry
from harness.backends.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = {
    "loop": "uvloop.Loop",
    "codec": "orjson.loads",
    "cache": "Valkey 9.1.2",
    "transport": "websockets.asyncio.client.ClientConnection",
}


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_the_running_loop_tells_its_own_class(name: str, needs: Callable[[str, str], None]) -> None:
    needs("loop", name)

    async def ask() -> str:
        return loop_in_use()

    with asyncio.Runner(loop_factory=registry().loop(name)) as runner:
        told = runner.run(ask())
    assert told.partition(".")[0] == name
    assert discrepancies(Stack.parse(f"{name}+json+none"), {"loop": told}, cache_hits=0) == []


@pytest.mark.parametrize(
    ("name", "module"), [("json", "json.decoder"), ("orjson", "orjson"), ("msgspec", "msgspec.json")]
)
def test_a_codec_tells_the_function_that_decodes(name: str, module: str, needs: Callable[[str, str], None]) -> None:
    needs("codec", name)
    told = codec_in_use(registry().codec(name))
    assert told.startswith(module.partition(".")[0])
    assert " in " not in told
    assert discrepancies(Stack.parse(f"asyncio+{name}+none"), {"codec": told}, cache_hits=0) == []


def test_a_codec_that_fell_back_to_another_library_is_found_out() -> None:
    told = codec_in_use(registry().codec("json"))
    assert discrepancies(Stack.parse("asyncio+orjson+none"), {"codec": told}, cache_hits=0) == [
        f"codec: orjson was asked for, {told} was in use"
    ]


def test_no_connection_at_all_is_nothing_in_use() -> None:
    stack = Stack.parse("asyncio+json+none")
    assert discrepancies(stack, {"transport": transport_in_use(None)}, cache_hits=0) == [
        "transport: websockets was asked for, nothing was in use"
    ]


def test_a_stack_that_is_what_it_says_has_no_discrepancy() -> None:
    assert discrepancies(Stack.parse("uvloop+orjson+redis"), GOOD, cache_hits=7) == []


@pytest.mark.parametrize(
    ("slot", "active", "told"),
    [
        ("loop", "asyncio.unix_events._UnixSelectorEventLoop", "loop: uvloop was asked for, asyncio.unix_events"),
        ("codec", "json.decoder.JSONDecoder.decode", "codec: orjson was asked for, json.decoder"),
        ("codec", "orjsonlike.loads", "codec: orjson was asked for, orjsonlike.loads was in use"),
        ("cache", "", "cache: redis was asked for, nothing answered"),
        ("transport", "picows.Connection", "transport: websockets was asked for, picows.Connection was in use"),
    ],
)
def test_each_slot_that_is_not_what_it_says_is_told(slot: str, active: str, told: str) -> None:
    problems = discrepancies(Stack.parse("uvloop+orjson+redis"), {**GOOD, slot: active}, cache_hits=7)
    assert len(problems) == 1
    assert problems[0].startswith(told)


def test_a_cache_that_never_had_a_hit_was_not_in_use() -> None:
    assert discrepancies(Stack.parse("uvloop+orjson+redis"), GOOD, cache_hits=0) == [
        "cache: redis answered but never had a hit"
    ]


def test_a_cache_where_none_was_asked_for_is_told() -> None:
    assert discrepancies(Stack.parse("uvloop+orjson+none"), GOOD, cache_hits=3) == [
        "cache: none was asked for, Valkey 9.1.2 was in use"
    ]
    assert discrepancies(Stack.parse("uvloop+orjson+none"), {**GOOD, "cache": ""}, cache_hits=0) == []


def test_slots_that_a_trial_does_not_use_are_not_asked_for() -> None:
    assert discrepancies(Stack.parse("uvloop+orjson+redis"), {"codec": "orjson.loads"}, cache_hits=0) == []


class Wrapper:
    """As a third party's codec: its own class, another library's function."""

    engine: Any = staticmethod(codec_in_use)
    errors = (ValueError,)

    def loads(self, data: bytes) -> Any:
        raise NotImplementedError

    def dumps(self, value: Any) -> bytes:
        raise NotImplementedError


def test_the_class_that_holds_a_foreign_library_is_told_with_it() -> None:
    assert codec_in_use(Wrapper()) == f"harness.backends.proof.codec_in_use in {__name__}.Wrapper"
