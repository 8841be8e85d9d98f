from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.backends.registry import SLOTS, registry
from harness.backends.stack import AFTER, AFTER_REDIS, BEFORE, Stack
from harness.errors import TickproofError, UnknownName

ALL = ["+".join(names) for names in itertools.product(*(registry().names(slot) for slot in SLOTS[:3]))]


@pytest.mark.parametrize("name", ALL)
def test_a_stack_is_written_as_it_was_read(name: str) -> None:
    assert str(Stack.parse(name)) == name


def test_the_default_transport_need_not_be_named_and_is_not_shown() -> None:
    assert Stack.parse("asyncio+json+none+websockets") == Stack.parse("asyncio+json+none")
    assert str(Stack.parse("asyncio+json+none+websockets")) == "asyncio+json+none"


def test_the_three_columns_of_the_report_are_stacks() -> None:
    assert [str(Stack.parse(name)) for name in (BEFORE, AFTER, AFTER_REDIS)] == [
        "asyncio+json+none",
        "uvloop+orjson+none",
        "uvloop+orjson+redis",
    ]


def test_slots_come_in_the_order_of_the_name() -> None:
    assert list(Stack.parse("uvloop+orjson+redis").slots()) == [
        ("loop", "uvloop"),
        ("codec", "orjson"),
        ("cache", "redis"),
        ("transport", "websockets"),
    ]


@pytest.mark.parametrize("text", ["", "uvloop", "uvloop+orjson", "a+b+c+d+e", "uvloop orjson redis"])
def test_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(TickproofError, match=r"is not of the form loop\+codec\+cache.*uvloop\+orjson\+redis"):
        Stack.parse(text)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("trio+json+none", "loop"),
        ("asyncio+simplejson+none", "codec"),
        ("asyncio+json+memcached", "cache"),
        ("asyncio+json+none+aiohttp3", "transport"),
        ("++", "loop"),
        ("Asyncio+json+none", "loop"),
        ("asyncio+json+none ", "cache"),
    ],
)
def test_an_unknown_backend_is_refused_with_its_slot_and_the_known_names(text: str, slot: str) -> None:
    with pytest.raises(UnknownName) as caught:
        Stack.parse(text)
    assert caught.value.kind == f"{slot} backend"
    assert caught.value.known == tuple(sorted(registry().names(slot)))


@given(st.text())
def test_any_text_is_a_stack_or_an_error_that_says_what_to_do(text: str) -> None:
    try:
        name = str(Stack.parse(text))
    except TickproofError:
        return
    assert name in ALL
