from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.backends.conformance import check_codec
from harness.backends.conformance.codec import identical
from harness.backends.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.backends.contracts import Codec

#: Those that are there: equality of one is trivial, and the others' own tests say what is missing.
CODECS = [registry().codec(name) for name in ("json", "orjson", "msgspec") if registry().is_installed("codec", name)]

INTEGERS = st.integers(min_value=-(2**63), max_value=2**64 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN_FLOATS = FLOATS.filter(lambda value: "e" not in repr(value))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def documents(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | INTEGERS | floats | TEXT
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


def test_each_codec_that_ships_keeps_every_promise(codec: Codec) -> None:
    assert [str(failure) for failure in check_codec(codec)] == []


@given(documents(FLOATS))
def test_every_document_comes_back_from_every_codec_as_it_was(document: Any) -> None:
    for codec in CODECS:
        assert identical(codec.loads(codec.dumps(document)), document)


@given(documents(FLOATS))
def test_what_one_codec_writes_every_other_reads_alike(document: Any) -> None:
    for written in {codec.dumps(document) for codec in CODECS}:
        for codec in CODECS:
            assert identical(codec.loads(written), document)


@given(documents(PLAIN_FLOATS))
def test_equal_documents_give_equal_bytes_with_every_codec(document: Any) -> None:
    assert len({codec.dumps(document) for codec in CODECS}) == 1


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        timezones=st.one_of(st.none(), OFFSETS),
    )
)
def test_every_codec_writes_a_time_alike_and_python_reads_it_back(moment: datetime) -> None:
    (written,) = {codec.dumps(moment) for codec in CODECS}
    assert datetime.fromisoformat(written.decode().strip('"')) == moment


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_codec_writes_a_decimal_alike_and_no_digit_is_lost(amount: Decimal) -> None:
    (written,) = {codec.dumps(amount) for codec in CODECS}
    again = Decimal(written.decode().strip('"'))
    assert again.as_tuple() == amount.as_tuple()


@given(FLOATS)
def test_a_price_as_text_is_the_same_double_for_every_codec(price: float) -> None:
    for text in (repr(price), f"{price:.8f}" if abs(price) < 1e300 else repr(price), f"{price:.17g}"):
        values = {codec.loads(text.encode()).hex() for codec in CODECS if not text.lstrip("-").isdigit()}
        assert values <= {float(text).hex()}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_one_of_the_codecs_own_errors(data: bytes) -> None:
    for codec in CODECS:
        try:
            codec.loads(data)
        except codec.errors:
            continue


@given(documents(FLOATS), st.data())
def test_a_document_that_was_cut_is_refused_by_every_codec(document: Any, data: st.DataObject) -> None:
    written = CODECS[0].dumps([document])
    cut = data.draw(st.integers(0, len(written) - 1))
    for codec in CODECS:
        with pytest.raises(codec.errors):
            codec.loads(written[:cut])


def test_loads_is_the_librarys_own_function_where_the_library_takes_bytes(needs: Callable[[str, str], None]) -> None:
    assert type(registry().codec("msgspec").loads.__self__) is msgspec.json.Decoder  # type: ignore[attr-defined]
    needs("codec", "orjson")
    import orjson  # noqa: PLC0415 - may be absent

    assert registry().codec("orjson").loads is orjson.loads


def test_json_refuses_what_only_javascript_knows(codec: Codec) -> None:
    for text in (b"NaN", b"[Infinity]", b'{"a":-Infinity}'):
        with pytest.raises(codec.errors):
            codec.loads(text)


def test_a_number_that_is_none_never_becomes_text_that_nobody_reads(codec: Codec) -> None:
    for number in (math.nan, math.inf, -math.inf):
        try:
            written = codec.dumps({"x": number})
        except ValueError:
            continue
        assert codec.loads(written) == {"x": None}


def test_a_row_of_the_database_is_written_alike_by_every_codec() -> None:
    row = {
        "trade_id": "BTCUSDT-104729-B",
        "quantity": Decimal("0.01163000"),
        "opened": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
        "pnl": None,
    }
    assert {codec.dumps(row) for codec in CODECS} == {
        b'{"trade_id":"BTCUSDT-104729-B","quantity":"0.01163000","opened":"2026-01-02T03:04:05.678000Z","pnl":null}'
    }
