from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot import reference


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'["\\ud800","\\udc00"]',
        b'"\xff"',
        b'"\x01"',
        b"[01]",
        b"[1]x",
        b"[" * 401 + b"]" * 401,
        b"[" * 100_000,
        b'{"a":' * 401 + b"1" + b"}" * 401,
    ],
    ids=lambda frame: repr(frame[:20])[2:-1] or "empty",
)
def test_what_is_malformed_raises_one_of_its_errors(frame: bytes) -> None:
    with pytest.raises(reference.ERRORS):
        reference.read(frame)


def test_pairs_of_surrogates_and_ordinary_escapes_are_read() -> None:
    assert reference.read(b'["\\ud83d\\ude00\\u0041\\n","\xc3\xa9"]') == ["\U0001f600A\n", "é"]


def test_numbers_of_any_size_are_read() -> None:
    assert reference.read(b"[1e999,18446744073709551616,-9223372036854775809,0]") == [math.inf, 2**64, -(2**63) - 1, 0]
    assert reference.read(b"1" * 5_000) == math.inf
    assert reference.read(b"-" + b"1" * 5_000) == -math.inf


def test_the_deepest_nesting_that_is_taken_is_the_one_stated() -> None:
    assert not reference.is_deep(b"[" * reference.MAX_DEPTH + b"1" + b"]" * reference.MAX_DEPTH)
    assert reference.is_deep(b"[" * (reference.MAX_DEPTH + 1) + b"1" + b"]" * (reference.MAX_DEPTH + 1))


@given(brackets=st.text(alphabet='[]{}"a\\', min_size=0, max_size=reference.SHALLOW_BYTES // 2))
def test_no_whole_frame_of_few_bytes_is_deep(brackets: str) -> None:
    assert not reference.is_deep(brackets.encode())


@given(names=st.lists(st.text(alphabet='[]{}":,a\\', max_size=8), min_size=1, max_size=5))
def test_brackets_in_strings_do_not_count(names: list[str]) -> None:
    names *= 450
    escaped = [name.replace("\\", "\\\\").replace('"', '\\"') for name in names]
    frame = ('["' + '","'.join(escaped) + '"]').encode()
    assert reference.read(frame) == names
    assert not reference.is_deep(frame)
