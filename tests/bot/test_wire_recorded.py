"""Real recorded traffic, and the recording that ships: every frame is read, and read alike."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.backends.contracts import TypedCodec
from harness.backends.registry import registry
from harness.bot.wire import Wire
from harness.exchange import streams
from harness.exchange.account_events import ACCOUNT_SHAPES
from harness.exchange.events import MARKET_SHAPES, BookTicker, DepthUpdate, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.recordings.format import Recording

#: Frames by kind of stream, as TRAFFIC.md counts them.
KINDS = {
    "spot-10-symbols-2021-04": {"aggTrade": 1_240, "bookTicker": 5_408, "depth": 4_709},
    "usdm-5-symbols-2021-04": {"aggTrade": 574, "bookTicker": 3_424, "depth": 4_423},
}
USER_DATA = ("spot-user-data-2026", "usdm-user-data-2026", "usdm-market-2026", "usdm-public-2026")
#: A frame of one of many is tried in other forms: all forms of all frames would take minutes.
EVERY = 37


class Payload(msgspec.Struct):
    """What stands in any of the envelopes."""

    data: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()
    stream: str = ""


class Named(msgspec.Struct):
    e: str = ""


def shaped(frame: bytes) -> tuple[type[Event], bytes] | None:
    """The record that a frame's payload is read into, by the library's own envelope; None for one nobody reads."""
    envelope = msgspec.json.decode(frame, type=Payload)
    payload = bytes(envelope.data) or bytes(envelope.event)
    market = MARKET_SHAPES.get(streams.parse(envelope.stream).kind)
    shape = market or ACCOUNT_SHAPES.get(msgspec.json.decode(payload, type=Named).e)
    return (shape, payload) if shape else None


def ways() -> dict[str, Callable[[type[Event], bytes], Event]]:
    """Every way from bytes to a record: by each codec's documents, and by each that decodes straight into it."""
    found: dict[str, Callable[[type[Event], bytes], Event]] = {}
    for name in ("json", "orjson", "msgspec"):
        if not registry().is_installed("codec", name):
            continue
        codec = registry().codec(name)
        found[f"{name}, dict"] = lambda shape, payload, codec=codec: msgspec.convert(  # type: ignore[misc]
            codec.loads(payload), shape, strict=False
        )
        if isinstance(codec, TypedCodec):
            decoders = {shape: codec.decoder(shape) for shape in (*MARKET_SHAPES.values(), *ACCOUNT_SHAPES.values())}
            found[f"{name}, typed"] = lambda shape, payload, decoders=decoders: decoders[shape](payload)  # type: ignore[misc]
    return found


def bits(value: Any) -> Any:
    """The record as plain values, every float as its exact bits and every value with its type."""
    if isinstance(value, msgspec.Struct):
        return (type(value).__name__, *map(bits, msgspec.structs.astuple(value)))
    if isinstance(value, list):
        return [bits(item) for item in value]
    return value.hex() if isinstance(value, float) else (type(value).__name__, value)


def read_alike(frames: Iterable[bytes]) -> Counter[str]:
    """Asserts that all ways lead to the same record, to the last bit; the records read, by shape."""
    taken: Counter[str] = Counter()
    readers = ways()
    assert len(readers) >= 3
    for frame in frames:
        found = shaped(frame)
        if found is None:
            continue
        first, *others = [bits(read(*found)) for read in readers.values()]
        assert all(other == first for other in others), frame
        taken[found[0].__name__] += 1
    return taken


def user_data(folder: Path, name: str) -> list[bytes]:
    return (folder / "user-data" / f"{name}.jsonl").read_bytes().splitlines()


def other_forms(frame: bytes) -> dict[str, bytes]:
    """The frame with numbers without quotes, integers in quotes, ids at both ends of 64 bits, a Chinese symbol."""
    ids = re.compile(rb'"(u|U|pu|a|t|i)":-?\d+')
    return {
        "bare numbers": re.sub(rb'"(-?\d+(?:\.\d+)?)"(?=[,}])', rb"\1", frame),
        "quoted integers": re.sub(rb'":(\d+)(?=[,}])', rb'":"\1"', frame),
        "largest ids": ids.sub(rb'"\1":9223372036854775807', frame),
        "smallest ids": ids.sub(rb'"\1":-9223372036854775808', frame),
        "a Chinese symbol": re.sub(rb'"s":"[A-Z]+', '"s":"币安人生'.encode(), frame),
    }


def test_the_shipped_recording_is_read_whole_and_alike(shipped_frames: list[bytes], same_on_all_codecs: Any) -> None:
    events, counts = same_on_all_codecs(shipped_frames)
    assert None not in events
    assert counts == {}
    assert {event[0] for event in events} == {"aggTrade", "trade", "bookTicker", "kline", "miniTicker", "depth"}


def test_the_shipped_account_events_are_read_whole_and_alike(shipped: Recording, same_on_all_codecs: Any) -> None:
    frames = [frame.body for frame in shipped.frames if frame.connection == "user"]
    events, counts = same_on_all_codecs(frames, read="account_event")
    assert {event[0] for event in events} >= {"ExecutionReport", "AccountPosition"}
    assert counts == {}


@pytest.mark.shared
def test_every_real_frame_is_read_and_read_alike(real_frames: dict[str, list[bytes]], same_on_all_codecs: Any) -> None:
    for name, frames in real_frames.items():
        events, counts = same_on_all_codecs(frames)
        assert None not in events
        assert counts == {}
        if name in KINDS:
            assert Counter(event[0] for event in events) == KINDS[name]


@pytest.mark.shared
def test_times_and_ids_are_those_of_the_market(real_frames: dict[str, list[bytes]]) -> None:
    for market, has_time, has_previous in (
        ("spot-10-symbols-2021-04", False, False),
        ("usdm-5-symbols-2021-04", True, True),
    ):
        wire = Wire(registry().codec("msgspec"))
        for frame in real_frames[market]:
            _, _, event = wire.market_message(frame) or pytest.fail("a real frame was not read")
            if isinstance(event, BookTicker):
                assert (event.event_time > 0) == has_time
            if isinstance(event, DepthUpdate):
                assert (event.previous_id > 0) == has_previous
                assert 0 < event.first_id <= event.last_id


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "taken", "unread"),
    [
        ("usdm-public-2026", ["bookTicker", "depth", "depth"], ["!bookTicker", "partialDepth", "rpiDepth"]),
        (
            "usdm-market-2026",
            ["aggTrade", "miniTicker", "kline", "markPrice"],
            ["forceOrder", "ticker", "continuousKline", "!contractInfo", "tradingSession"],
        ),
    ],
)
def test_the_market_shapes_of_2026_are_read_alike(
    file: str, taken: list[str], unread: list[str], shared_recordings: Path, same_on_all_codecs: Any, codec_name: str
) -> None:
    frames = user_data(shared_recordings, file)
    events, counts = same_on_all_codecs(frames)
    assert [event[0] for event in events if event] == taken
    assert counts == {"unread_stream": len(unread)}
    wire = Wire(registry().codec(codec_name))
    for frame in frames:
        wire.market_message(frame)
    assert (wire.unread, wire.unknown, wire.malformed) == (dict.fromkeys(unread, 1), {}, {})


@pytest.mark.shared
def test_the_account_events_of_2026_are_read_alike(
    shared_recordings: Path, same_on_all_codecs: Any, codec_name: str
) -> None:
    spot, futures = (user_data(shared_recordings, name) for name in USER_DATA[:2])
    events, counts = same_on_all_codecs(spot, read="account_event")
    assert [event[0] for event in events] == ["AccountPosition", "BalanceUpdate", *["ExecutionReport"] * 3]
    assert counts == {}
    events, counts = same_on_all_codecs(futures, read="account_event")
    assert [event[0] for event in events if event] == [
        "MarginCall",
        "AccountUpdate",
        "OrderTradeUpdate",
        *["AccountConfigUpdate"] * 2,
        "TradeLite",
        "ListenKeyExpired",
    ]
    assert counts == {"unread_account_event": 4}
    wire = Wire(registry().codec(codec_name))
    for frame in (*spot, *futures):
        wire.account_event(frame)
    unread = ["CONDITIONAL_ORDER_TRIGGER_REJECT", "STRATEGY_UPDATE", "GRID_UPDATE", "ALGO_UPDATE"]
    assert (wire.unread, wire.unknown, wire.malformed) == (dict.fromkeys(unread, 1), {}, {})


def test_nothing_in_the_shipped_recording_is_undocumented(shipped: Recording, codec_name: str) -> None:
    wire = Wire(registry().codec(codec_name))
    for frame in shipped.frames[:20_000]:
        if not frame.connection.startswith("rest"):
            read = wire.market_message if frame.connection == "market" else wire.account_event
            read(frame.body)
    assert (wire.unread, wire.unknown, wire.malformed) == ({}, {}, {})


@pytest.mark.shared
def test_nothing_in_the_real_recordings_is_undocumented(real_frames: dict[str, list[bytes]]) -> None:
    wire = Wire(registry().codec("msgspec"))
    for frames in real_frames.values():
        for frame in frames:
            wire.market_message(frame)
    assert (wire.unread, wire.unknown, wire.malformed) == ({}, {}, {})


def test_documents_and_typed_decoding_agree_on_the_shipped_recording(shipped: Recording) -> None:
    taken = read_alike(frame.body for frame in shipped.frames if frame.connection in {"market", "user"})
    assert taken.keys() >= {"BookTicker", "AggTrade", "Trade", "Kline", "MiniTicker", "DepthUpdate"}
    assert taken.keys() >= {"ExecutionReport", "AccountPosition", "BalanceUpdate"}
    assert taken.total() == sum(not frame.connection.startswith("rest") for frame in shipped.frames)


@pytest.mark.shared
def test_documents_and_typed_decoding_agree_on_the_real_recordings(
    real_frames: dict[str, list[bytes]], shared_recordings: Path
) -> None:
    for frames in real_frames.values():
        assert read_alike(frames).total() == len(frames)
    frames = [frame for name in USER_DATA for frame in user_data(shared_recordings, name)]
    assert len(read_alike(frames)) == 6 + 9


def assert_forms_agree(frames: Iterable[bytes], read: str, same: Any) -> Counter[str]:
    """Every form of every frame is seen alike by all codecs and all ways; how many forms said something else."""
    changed: Counter[str] = Counter()
    for frame in frames:
        for name, form in other_forms(frame).items():
            if form == frame:
                continue
            changed[name] += 1
            (event,), _ = same([form], read=read)
            if event is not None:
                read_alike([form])
    return changed


def test_other_forms_of_the_shipped_frames_are_read_alike(shipped: Recording, same_on_all_codecs: Any) -> None:
    frames = [frame.body for frame in shipped.frames if frame.connection == "market"]
    forms = assert_forms_agree(frames[:: EVERY * 10], "market_message", same_on_all_codecs)
    assert len(forms) == 5
    users = [frame.body for frame in shipped.frames if frame.connection == "user"]
    assert len(assert_forms_agree(users[::EVERY], "account_event", same_on_all_codecs)) == 5


@pytest.mark.shared
def test_other_forms_of_real_frames_are_read_alike(
    real_frames: dict[str, list[bytes]], shared_recordings: Path, same_on_all_codecs: Any
) -> None:
    for frames in real_frames.values():
        assert_forms_agree(frames[:: EVERY * 5], "market_message", same_on_all_codecs)
    for name in USER_DATA:
        read = "account_event" if "user" in name else "market_message"
        assert_forms_agree(user_data(shared_recordings, name), read, same_on_all_codecs)


@pytest.mark.parametrize("kind", ["aggTrade", "trade", "bookTicker", "kline", "miniTicker"])
def test_a_number_is_the_same_with_and_without_quotes(kind: str, shipped_frames: list[bytes], codec_name: str) -> None:
    frame = next(frame for frame in shipped_frames if f"@{kind}".encode() in frame)
    wire = Wire(registry().codec(codec_name))
    forms = other_forms(frame)
    as_sent, bare, quoted = (
        wire.market_message(each) for each in (frame, forms["bare numbers"], forms["quoted integers"])
    )
    assert as_sent is not None
    assert bits(as_sent[2]) == bits((bare or pytest.fail("bare"))[2]) == bits((quoted or pytest.fail("quoted"))[2])


@pytest.mark.parametrize(("form", "number"), [("largest ids", 2**63 - 1), ("smallest ids", -(2**63))])
def test_ids_of_64_bits_and_chinese_symbols_are_exact(
    form: str, number: int, shipped_frames: list[bytes], codec_name: str
) -> None:
    frame = next(frame for frame in shipped_frames if b"@bookTicker" in frame)
    _, _, event = Wire(registry().codec(codec_name)).market_message(other_forms(frame)[form]) or pytest.fail("ids")
    assert isinstance(event, BookTicker)
    assert event.update_id == number
    chinese = other_forms(frame)["a Chinese symbol"]
    _, _, event = Wire(registry().codec(codec_name)).market_message(chinese) or pytest.fail("symbol")
    assert isinstance(event, BookTicker)
    assert event.symbol == "币安人生"
