"""A recording played again and again: each pass moves ids and times on, so that the rules of sequence still hold."""

from __future__ import annotations

import math
import re
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.exchange import streams
from harness.recordings.format import MARKET, Frame, Recording
from harness.recordings.numbers import Number, Place, Role, numbers_of, place_of
from harness.units import NS_PER_MS, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

_MINUTE_MS: Final = 60_000
#: Milliseconds of the units in which kline intervals are written; weeks and months have no fixed grid worth keeping.
_INTERVAL_UNITS_MS: Final = {"s": 1_000, "m": _MINUTE_MS, "h": 3_600_000, "d": 86_400_000}
_INTERVAL: Final = re.compile(r"(\d+)([smhd])(?:@.*)?")
#: Times above this are microseconds (`timeUnit=MICROSECOND`): in milliseconds it is the year 5138.
_MICROSECONDS_FROM: Final = 10**14
#: Sequences of trade ids are measured on these; a ticker's first id is a day old and a kline's a minute.
_SEQUENCE_EVENTS: Final = frozenset({"aggTrade", "trade"})


def looped(recording: Recording, min_frames: int) -> Iterator[Frame]:
    """Whole passes until at least `min_frames` market frames were given: the first as recorded, the others moved on.

    Per symbol, in every pass n: U = previous u + 1 (spot) and pu = previous u (USD-M) hold wherever they do in the
    recording, and from the last frame of a pass to the first of the next; ids never run back; times move by whole
    minutes (whole kline intervals where longer), to the first minute after the pass before, so candles keep their
    boundaries. Client order ids, which are text, repeat. Receive times go on after one mean gap.
    """
    yield from recording.frames
    per_pass = sum(1 for frame in recording.frames if frame.connection == MARKET)
    given = per_pass
    if not per_pass or given >= min_frames:
        return
    loop = Loop(recording)
    for number in count(1):
        yield from loop.moved(number)
        given += per_pass
        if given >= min_frames:
            return


class _Template(NamedTuple):
    """A frame whose numbers are holes: in pass n the k-th is `values[k] + n * steps[k]`."""

    at: int
    connection: str
    text: bytes
    values: tuple[int, ...]
    steps: tuple[int, ...]


class Loop:
    """The index of a recording's times and ids, made once; passes are built from it."""

    def __init__(self, recording: Recording) -> None:
        self._frames = recording.frames
        found = [self._numbers(frame) for frame in recording.frames]
        self._steps = _Steps(
            found, period_ms=_period_ms(recording, found), per_symbol=recording.header.market == "spot"
        )
        played = recording.span_ns - recording.frames[0].at
        self._at_step = played + max(1, played // max(1, len(recording.frames) - 1))
        self._templates = self._templates_of(found)

    @property
    def period_ms(self) -> int:
        """How far event times move on from one pass to the next."""
        return self._steps.period_ms

    def moved(self, number: int) -> Iterator[Frame]:
        """The frames of pass `number`; pass 0 is the recording itself."""
        if number == 0:
            yield from self._frames
            return
        at_step = number * self._at_step
        for at, connection, text, values, steps in self._templates:
            moved = tuple([value + number * step for value, step in zip(values, steps, strict=True)])
            yield Frame(Nanoseconds(at + at_step), connection, text % moved)

    @staticmethod
    def _numbers(frame: Frame) -> tuple[Place, list[Number]]:
        place = place_of(frame.connection, frame.body)
        return place, list(numbers_of(place, frame.body))

    def _templates_of(self, found: list[tuple[Place, list[Number]]]) -> list[_Template]:
        joints = _Joints(found)
        templates = []
        for index, (frame, (place, numbers)) in enumerate(zip(self._frames, found, strict=True)):
            steps = [self._steps.of(place, number) for number in numbers]
            values = [joints.value(index, number, step) for number, step in zip(numbers, steps, strict=True)]
            text = _with_holes(frame.body, numbers)
            templates.append(_Template(frame.at, frame.connection, text, tuple(values), tuple(steps)))
        return templates


class _Steps:
    """By how much each number moves on from one pass to the next."""

    def __init__(self, found: list[tuple[Place, list[Number]]], *, period_ms: int, per_symbol: bool) -> None:
        self.period_ms = period_ms
        # USD-M update ids are one sequence for all symbols.
        self._book_per_symbol = per_symbol
        ranges: dict[tuple[Role, str, bool], tuple[int, int]] = {}
        for place, numbers in found:
            for number in numbers:
                if number.role is Role.TIME:
                    continue
                key = (*self._sequence(place, number), _is_sequence(place, number))
                low, high = ranges.get(key, (number.value, number.value))
                ranges[key] = min(low, number.value), max(high, number.value)
        self._steps: dict[tuple[Role, str], int] = {}
        for (role, symbol, certain), (low, high) in sorted(ranges.items(), key=lambda item: item[0][2]):
            # Certain ones come last and win.
            if certain or (role, symbol) not in self._steps:
                self._steps[role, symbol] = high - low + 1

    def of(self, place: Place, number: Number) -> int:
        """The step of one number."""
        if number.role is Role.TIME:
            return self.period_ms * (1_000 if number.value >= _MICROSECONDS_FROM else 1)
        return self._steps[self._sequence(place, number)]

    def _sequence(self, place: Place, number: Number) -> tuple[Role, str]:
        if number.role is Role.BOOK and not self._book_per_symbol:
            return number.role, ""
        return number.role, place.symbol


def _is_sequence(place: Place, number: Number) -> bool:
    """Whether the range of a sequence may be taken from this number."""
    return number.role is not Role.TRADE or place.event in _SEQUENCE_EVENTS


class _Joints:
    """Where passes meet: the first depth event of each stream must follow the last one of the pass before.

    Its `U` (spot) or `pu` (USD-M) is stretched back to that event's `u`: the ids between were used by the book ticker
    or by nobody. Written as a value of pass n less n steps, so that every number stays a straight line in n.
    """

    def __init__(self, found: list[tuple[Place, list[Number]]]) -> None:
        self._first: dict[int, str] = {}
        self._last: dict[str, int] = {}
        self._usdm: set[str] = set()
        for index, (place, numbers) in enumerate(found):
            if place.event != "depthUpdate":
                continue
            stream = place.stream or place.symbol
            if stream not in self._last:
                self._first[index] = stream
            for number in numbers:
                if number.key == "u":
                    self._last[stream] = number.value
                elif number.key == "pu":
                    self._usdm.add(stream)

    def value(self, index: int, number: Number, step: int) -> int:
        """What the number counts from."""
        stream = self._first.get(index)
        if stream is None or stream not in self._last:
            return number.value
        if number.key == "pu":
            return self._last[stream] - step
        if number.key == "U" and stream not in self._usdm:
            return self._last[stream] - step + 1
        return number.value


def _with_holes(body: bytes, numbers: list[Number]) -> bytes:
    parts = []
    done = 0
    for number in numbers:
        parts.append(body[done : number.start].replace(b"%", b"%%"))
        done = number.end
    parts.append(body[done:].replace(b"%", b"%%"))
    return b"%d".join(parts)


def _period_ms(recording: Recording, found: list[tuple[Place, list[Number]]]) -> int:
    """From the first moment's minute (or longest kline interval) to the one after the last moment's."""
    events = [
        number.value // 1_000 if number.value >= _MICROSECONDS_FROM else number.value
        for _, numbers in found
        for number in numbers
        if number.key == "E"
    ]
    start = recording.header.start_ms
    events += [start + recording.frames[0].at // NS_PER_MS, start + recording.span_ns // NS_PER_MS]
    grid = _grid_ms(recording.header.streams)
    return (max(events) // grid - min(events) // grid + 1) * grid


def _grid_ms(names: tuple[str, ...]) -> int:
    """The least time that is a whole number of minutes and of every kline interval."""
    grid = _MINUTE_MS
    for name in names:
        stream = streams.parse(name)
        interval = _INTERVAL.fullmatch(stream.option) if stream.kind == "kline" else None
        if interval:
            grid = math.lcm(grid, int(interval[1]) * _INTERVAL_UNITS_MS[interval[2]])
    return grid
