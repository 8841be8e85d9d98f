from __future__ import annotations

import re
import threading
from itertools import count

import pytest

from harness.replay.accounts.listen_keys import ListenKeys
from harness.units import NS_PER_S


def seconds(number: float) -> int:
    return round(number * NS_PER_S)


@pytest.fixture
def keys() -> ListenKeys:
    numbers = count(1)
    return ListenKeys(valid_seconds=60, make=lambda: f"key{next(numbers)}")


def test_a_key_is_64_letters_and_digits_and_no_two_are_alike() -> None:
    first, second = (ListenKeys().create(0) for _ in range(2))
    assert re.fullmatch(r"[A-Za-z0-9]{64}", first)
    assert first != second


def test_creating_again_returns_the_key_that_is_alive_and_extends_it(keys: ListenKeys) -> None:
    assert keys.create(0) == keys.create(seconds(59)) == "key1"
    assert keys.admits("key1", seconds(118))
    assert not keys.admits("key1", seconds(119))
    assert keys.current(seconds(118)) == "key1"
    assert keys.current(seconds(119)) == ""
    assert keys.create(seconds(119)) == "key2"


def test_a_key_that_is_kept_alive_outlives_its_hour(keys: ListenKeys) -> None:
    key = keys.create(0)
    for minute in range(1, 10):
        assert keys.keep_alive(key, seconds(minute * 59))
    assert keys.admits(key, seconds(9 * 59 + 59))
    assert not keys.keep_alive(key, seconds(9 * 59 + 60))
    assert not keys.keep_alive("another", 0)


def test_an_expired_key_is_told_once_and_a_closed_one_never(keys: ListenKeys) -> None:
    keys.create(0)
    assert keys.expired(seconds(59)) == []
    assert keys.expired(seconds(60)) == ["key1"]
    assert keys.expired(seconds(61)) == []
    assert keys.close(keys.create(seconds(61)))
    assert not keys.close("key2")
    assert keys.expired(seconds(999)) == []


def test_an_expiry_that_nobody_asked_about_in_time_is_still_told(keys: ListenKeys) -> None:
    keys.create(0)
    assert keys.create(seconds(100)) == "key2"
    assert keys.expired(seconds(100)) == ["key1"]
    assert keys.admits("key2", seconds(100))


def test_a_key_of_the_past_is_told_from_one_that_never_was(keys: ListenKeys) -> None:
    keys.create(0)
    assert not keys.is_past("key1", seconds(59))
    assert keys.is_past("key1", seconds(60))
    keys.close(keys.create(seconds(70)))
    assert [keys.is_past(key, seconds(71)) for key in ("key1", "key2", "key3", "")] == [True, True, False, False]


def test_nothing_grows_without_bound_when_nobody_asks(keys: ListenKeys) -> None:
    for minute in range(3_000):
        keys.create(seconds(minute * 60))
    told = keys.expired(seconds(3_000 * 60))
    assert (len(told), told[-1]) == (1_024, "key3000")
    assert not keys.is_past("key1", seconds(3_000 * 60))


def test_threads_that_create_at_once_share_one_key() -> None:
    keys = ListenKeys()
    made: set[str] = set()
    threads = [threading.Thread(target=lambda: made.add(keys.create(0))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
