from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bot.digest import TRAIL_EVERY, DecisionDigest
from harness.bot.ledger import Ledger
from harness.bot.momentum import Momentum
from harness.bot.risk import Risk
from harness.bot.settings import RiskSettings
from harness.bot.signal import Signal
from harness.exchange.orders import Fill, Order, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.recordings.format import Recording
    from tests.bot.conftest import Traded

    TradeOn = Callable[..., Traded]

#: Enough of the shipped recording for all kinds of events; short, since each example runs it again.
SLICE = 600
CHECKOUT = Path(__file__).resolve().parents[2]
FEATURES = (1.5, -0.25, 0.125, 0.001, 0.0, 50.0, 0.01, -0.001)


@pytest.fixture(scope="module")
def frames(shipped_frames: list[bytes]) -> list[bytes]:
    return shipped_frames[:SLICE]


@pytest.fixture(scope="module")
def digest_of(trade_on: TradeOn) -> Callable[[Sequence[bytes]], str]:
    return lambda frames: trade_on(frames).desk.finish()


@pytest.fixture(scope="module")
def whole(frames: list[bytes], digest_of: Callable[[Sequence[bytes]], str]) -> str:
    return digest_of(frames)


def stream_of(frame: bytes) -> str:
    return frame.decode().split('"', 4)[3]


def places_of(frame: bytes, keys: str) -> list[int]:
    """Where the digits of these fields stand."""
    return [
        place
        for value in re.finditer(rb'"[' + keys.encode() + rb']":"([0-9.]+)"', frame)
        for place in range(*value.span(1))
        if frame[place : place + 1].isdigit()
    ]


def decisive(frames: Sequence[bytes], *kinds: str) -> list[int]:
    """Numbers of the frames of these kinds; the first frames, from before the first event time, are left out."""
    return [number for number, frame in enumerate(frames) if number > 20 and stream_of(frame).endswith(kinds)]


def with_digit(frame: bytes, place: int, step: int) -> bytes:
    return frame[:place] + b"%d" % ((int(frame[place : place + 1]) + step) % 10) + frame[place + 1 :]


def test_every_single_digit_of_the_best_prices_counts(
    frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    number = decisive(frames, "bookTicker")[40]
    places = places_of(frames[number], "ba")
    assert len(places) >= 18
    for place in places:
        changed = [*frames[:number], with_digit(frames[number], place, 1), *frames[number + 1 :]]
        assert digest_of(changed) != whole, f"digit {place} of {frames[number]!r}"


@given(data=st.data(), step=st.integers(1, 9))
@settings(max_examples=150)
def test_any_single_digit_of_any_book_ticker_s_prices_counts(
    data: st.DataObject, step: int, frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    number = data.draw(st.sampled_from(decisive(frames, "bookTicker")))
    place = data.draw(st.sampled_from(places_of(frames[number], "ba")))
    assert digest_of([*frames[:number], with_digit(frames[number], place, step), *frames[number + 1 :]]) != whole


@given(data=st.data(), step=st.integers(1, 9))
@settings(max_examples=50)
def test_any_single_digit_of_a_candle_s_open_or_close_counts(
    data: st.DataObject, step: int, frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    number = data.draw(st.sampled_from(decisive(frames, "kline_1m")))
    place = data.draw(st.sampled_from(places_of(frames[number], "oc")))
    assert digest_of([*frames[:number], with_digit(frames[number], place, step), *frames[number + 1 :]]) != whole


def test_the_side_of_a_trade_counts(
    frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    number = decisive(frames, "aggTrade")[10]
    turned = frames[number].replace(b'"m":true', b'"m":!').replace(b'"m":false', b'"m":true').replace(b"!", b"false")
    assert turned != frames[number]
    assert digest_of([*frames[:number], turned, *frames[number + 1 :]]) != whole


def test_the_event_time_counts(frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]) -> None:
    number = decisive(frames, "aggTrade")[10]
    later = re.sub(rb'"E":(\d+)', lambda found: b'"E":%d' % (int(found[1]) + 60_000), frames[number])
    assert digest_of([*frames[:number], later, *frames[number + 1 :]]) != whole


@given(number=st.integers(0, SLICE - 1))
@settings(max_examples=60)
def test_any_dropped_frame_counts(
    number: int, frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    assert digest_of(frames[:number] + frames[number + 1 :]) != whole


@given(number=st.integers(0, SLICE - 1))
@settings(max_examples=30)
def test_any_frame_that_comes_twice_counts(
    number: int, frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    assert digest_of([*frames[:number], frames[number], *frames[number:]]) != whole


@given(data=st.data())
@settings(max_examples=100)
def test_any_two_swapped_frames_of_different_streams_count(
    data: st.DataObject, frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    numbers = decisive(frames, "bookTicker", "aggTrade", "@trade", "kline_1m")
    first = data.draw(st.sampled_from(numbers))
    second = data.draw(st.sampled_from([n for n in numbers if stream_of(frames[n]) != stream_of(frames[first])]))
    swapped = list(frames)
    swapped[first], swapped[second] = frames[second], frames[first]
    assert digest_of(swapped) != whole


@given(data=st.data())
@settings(max_examples=50)
def test_any_two_swapped_book_tickers_of_a_symbol_count(
    data: st.DataObject, frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    def says(frame: bytes) -> bytes:
        return frame.partition(b',"b":')[2]  # what stands before it is the update's number, which decides nothing

    numbers = decisive(frames, "btcusdt@bookTicker")
    first = data.draw(st.sampled_from(numbers))
    second = data.draw(st.sampled_from([n for n in numbers if says(frames[n]) != says(frames[first])]))
    swapped = list(frames)
    swapped[first], swapped[second] = frames[second], frames[first]
    assert digest_of(swapped) != whole


def test_a_malformed_frame_in_the_place_of_a_good_one_counts(
    frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    number = decisive(frames, "bookTicker")[3]
    assert digest_of([*frames[:number], b"{", *frames[number + 1 :]]) != whole


def test_what_decides_nothing_does_not_count(
    frames: list[bytes], whole: str, digest_of: Callable[[Sequence[bytes]], str]
) -> None:
    changed = [re.sub(rb'"[uta]":\d+', lambda found: found[0] + b"7", frame, count=1) for frame in frames]
    changed = [
        frame.replace(b'"v":"', b'"v":"1') if b"miniTicker" in frame or b"kline" in frame else frame
        for frame in changed
    ]
    assert changed != frames
    assert digest_of(changed) == whole


def test_the_trail_has_an_entry_for_every_thousand_frames_and_one_for_the_end(
    shipped_frames: list[bytes], trade_on: TradeOn
) -> None:
    for count, entries in ((999, 1), (1_000, 2), (1_001, 2), (2_500, 3)):
        desk = trade_on(shipped_frames[:count]).desk
        digest = desk.finish()
        assert len(desk.digest.trail) == entries
        assert desk.digest.trail[-1] == digest
    assert TRAIL_EVERY == 1_000


def test_malformed_frames_make_no_hole_in_the_trail(trade_on: TradeOn) -> None:
    desk = trade_on([b"{"] * 3_000).desk
    desk.finish()
    assert len(desk.digest.trail) == 4


def test_the_trail_tells_where_two_runs_parted(shipped_frames: list[bytes], trade_on: TradeOn) -> None:
    frames = shipped_frames[:4_000]
    number = next(n for n in decisive(frames, "bookTicker") if n > 2_100)
    other = [*frames[:number], with_digit(frames[number], places_of(frames[number], "b")[-1], 1), *frames[number + 1 :]]
    one, two = trade_on(frames).desk, trade_on(other).desk
    one.finish()
    two.finish()
    same = [a == b for a, b in zip(one.digest.trail, two.digest.trail, strict=True)]
    assert same == [True, True, False, False, False]


def test_the_trace_tells_every_evaluation_and_changes_nothing(
    frames: list[bytes], whole: str, trade_on: TradeOn
) -> None:
    desk = trade_on(frames, trace=True).desk
    assert desk.finish() == whole
    assert desk.digest.trace is not None
    assert len([line for line in desk.digest.trace if line.startswith("frame ")]) > 300
    assert "BTCUSDT" in "".join(desk.digest.trace)


def test_neither_clock_nor_chance_nor_another_codec_enters(
    frames: list[bytes], whole: str, trade_on: TradeOn, codec_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_clock(*_: object) -> NoReturn:
        raise AssertionError("somebody looked at the clock")

    with monkeypatch.context() as patched:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
            patched.setattr(time, name, no_clock)
        digest = trade_on(frames, codec=codec_name).desk.finish()
    assert digest == whole


@pytest.mark.parametrize("hash_seed", ["0", "1", "4294967295"])
def test_no_hash_seed_enters(hash_seed: str, shipped: Recording, whole: str) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from harness.backends.registry import registry\n"
        "from harness.bot.desk import Desk; from harness.bot.settings import BotSettings\n"
        "from harness.bot.wire import Wire; from harness.recordings.format import load\n"
        "desk = Desk(Wire(registry().codec('json')), BotSettings(), {}, lambda trade: None)\n"
        "frames = [f.body for f in load(Path(sys.argv[1])).frames if f.connection == 'market']\n"
        f"[desk.on_frame(frame) for frame in frames[:{SLICE}]]\n"
        "print(desk.finish())"
    )
    places = [str(CHECKOUT), *(place for place in sys.path if place)]
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped.path)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.decode().strip() == whole


def bought(symbol: str, quantity: str, price: str = "10") -> Fill:
    order = Order(
        client_order_id="1-1-B",
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal(quantity),
        price=Decimal(price),
        time_ms=1,
    )
    return Fill(order=order, price=Decimal(price), fee=Decimal("0.01"))


def digest() -> DecisionDigest:
    return DecisionDigest(Momentum.features)


def finished(*fills: Fill) -> str:
    ledger = Ledger()
    for fill in fills:
        ledger.open(Risk(RiskSettings(), ledger).position(fill, {}, "momentum"))
    return digest().finish(ledger, 5)


def test_final_positions_enter_whatever_their_order() -> None:
    positions = [bought("AAA", "1"), bought("BBB", "2")]
    assert finished(*positions) == finished(*reversed(positions))
    different = [
        finished(),
        finished(positions[0]),
        finished(*positions),
        finished(positions[0], bought("BBB", "2.1")),
        finished(positions[0], bought("BBB", "2", "10.01")),
        finished(positions[0], bought("BBC", "2")),
    ]
    assert len(set(different)) == len(different)


def changed(number: int, value: float) -> tuple[float, ...]:
    return (*FEATURES[:number], value, *FEATURES[number + 1 :])


def test_the_names_of_the_features_enter() -> None:
    names = [("a", "b"), ("b", "a"), ("a", "b", "c")]
    assert len({DecisionDigest(features).finish(Ledger(), 1) for features in names}) == 3


def test_without_a_trail_the_digest_is_the_same_and_nothing_grows() -> None:
    kept, not_kept = digest(), DecisionDigest(Momentum.features, trail=False)
    for one in (kept, not_kept):
        one.refusal("cool-down")
        one.checkpoint()
    assert kept.finish(Ledger(), 1) == not_kept.finish(Ledger(), 1)
    assert (len(kept.trail), not_kept.trail) == (2, [])


def test_every_part_of_an_evaluation_enters() -> None:
    base = (1, 1_000, "trade", "BTCUSDT", Signal.HOLD, FEATURES)
    variants = [
        base,
        (2, *base[1:]),
        (1, 1_001, *base[2:]),
        (*base[:2], "kline", *base[3:]),
        (*base[:3], "BTCUSDC", *base[4:]),
        (*base[:4], Signal.ENTER, FEATURES),
        *((*base[:5], changed(number, 0.1 + 0.2)) for number in range(len(FEATURES))),
        (*base[:5], changed(4, -0.0)),
        (*base[:5], changed(2, 0.12500000000000003)),
    ]
    digests = set()
    for variant in variants:
        one = digest()
        one.evaluation(variant)
        digests.add(one.finish(Ledger(), 1))
    assert len(digests) == len(variants)


def test_refusals_and_fills_enter_and_are_decisions() -> None:
    one, two, three = digest(), digest(), digest()
    one.refusal("cool-down")
    two.refusal("too many open")
    three.fill(bought("AAA", "1"), "entry")
    assert [each.decisions for each in (one, two, three)] == [1, 1, 1]
    assert len({each.finish(Ledger(), 1) for each in (one, two, three)}) == 3
