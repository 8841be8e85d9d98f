"""A plan made exact on one tape: the same plan, seed and tape give the same faults everywhere and always."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError
from harness.replay.faults.fault import ClockStep, Content, Duplicate, Faults, Oversized, Refuse
from harness.replay.faults.filling import Spot, filled
from harness.replay.faults.recorded import Recorded, Unfit
from harness.replay.faults.rules import ClockStepRule, ContentRule, RefuseRule
from harness.replay.faults.taken import Taken
from harness.replay.faults.values import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.replay.faults.fault import Fault
    from harness.replay.faults.plan import FaultPlan
    from harness.replay.faults.rules import FaultRule
    from harness.replay.tape import Tape

MAX_ADDED_BYTES: Final = 128 << 20
"""What duplicates and oversized frames may add to a tape, of which several forms are in memory at once."""


def resolve(plan: FaultPlan, tape: Tape, *, source: Path | str = "plan of faults") -> Faults:
    """Every fault with its frame and all its numbers, by frame.

    Clock steps are placed first, since they change the bytes that other faults find. Of the rest, those that are wanted
    `at` a frame come first, then the others, which pass over frames where they cannot be; each in the order written.
    Only `random.Random.random` is drawn from, whose stream is fixed across versions and platforms; each rule has a
    source of its own, so that another rule's draws do not move.

    Raises ConfigError with `source` and the key: a frame or a stretch beyond the recording, two faults that contradict
    each other, more faults than can be listed, more bytes than may be added, no frame for a rule.
    """
    placing = _Placing(Recorded(tape), plan.seed, source)
    rules = enumerate(plan.fault)
    for index, rule in sorted(rules, key=lambda item: (not isinstance(item[1], ClockStepRule), item[1].at is None)):
        if rule.at is not None:
            placing.place_at(index, rule)
        else:
            placing.place_chosen(index, rule)
    return Faults(seed=plan.seed, faults=placing.in_order())


class _Placing:
    """Places faults one by one."""

    def __init__(self, recorded: Recorded, seed: int, source: Path | str) -> None:
        self._recorded = recorded
        self._seed = seed
        self._source = source
        self._taken = Taken()
        self._found: list[tuple[int, Fault]] = []
        self._added = 0

    def in_order(self) -> tuple[Fault, ...]:
        """By frame; at one frame content, then refusals (what ends there must find them), then as written."""
        ordered = sorted(self._found, key=lambda item: (item[1].frame, _rank(item[1]), item[0]))
        return tuple(fault for _, fault in ordered)

    def place_at(self, index: int, rule: FaultRule) -> None:
        """A rule that names its frames: each must be possible."""
        draws = self._draws(index)
        matching = self._matching(index, rule)
        many = isinstance(rule.at, list)
        for place, wanted in enumerate(rule.at if isinstance(rule.at, list) else [rule.at or 0]):
            key = f"fault[{index}].at" + (f"[{place}]" if many else "")
            frame = self._frame_at(wanted, rule, matching, key)
            try:
                fault = filled(rule, Spot(frame, self._recorded, draws))
            except Unfit as error:
                raise ConfigError(self._source, f"fault[{index}].{error.key}", error.problem) from None
            reason = self._taken.why_not(fault)
            if reason:
                raise ConfigError(self._source, key, f"no {_kind_of(rule)} can be at frame {frame:,}: {reason}")
            self._place(index, fault)

    def _frame_at(self, wanted: int, rule: FaultRule, matching: NDArray[np.int64], key: str) -> int:
        total = self._recorded.total
        if wanted > total:
            raise ConfigError(
                self._source, key, f"frame {wanted:,} is beyond the recording, which has {total:,} frames"
            )
        if wanted == 0:
            if isinstance(rule, RefuseRule):
                return 0
            raise ConfigError(self._source, key, "frames are counted from 1; only a refusal can be at 0, the start")
        if not isinstance(rule, ContentRule) or rule.only is None:
            return wanted
        place = int(matching.searchsorted(wanted))
        if place == len(matching):
            raise ConfigError(self._source, key, f"no frame from {wanted:,} on is of {rule.only!r}")
        return int(matching[place])

    def place_chosen(self, index: int, rule: FaultRule) -> None:
        """A rule that leaves its frames to the seed or to a step: those are passed over where it cannot be."""
        draws = self._draws(index)
        before = len(self._found)
        wanted = rule.count or self._recorded.total
        for frame in _candidates(rule, self._matching(index, rule), draws):
            try:
                fault = filled(rule, Spot(frame, self._recorded, draws))
            except Unfit:
                continue
            if self._taken.why_not(fault) is None:
                self._place(index, fault)
            if len(self._found) - before == wanted:
                return
        placed = len(self._found) - before
        if rule.count is not None or (rule.every is not None and not placed):
            key = f"fault[{index}]." + ("every" if rule.count is None else "count")
            raise ConfigError(self._source, key, f"the recording has room for {placed:,} such faults only")

    def _matching(self, index: int, rule: FaultRule) -> NDArray[np.int64]:
        try:
            return self._recorded.matching(rule.only if isinstance(rule, ContentRule) else None)
        except Unfit as error:
            raise ConfigError(self._source, f"fault[{index}].{error.key}", error.problem) from None

    def _draws(self, index: int) -> random.Random:
        return random.Random(f"{self._seed}/{index}")

    def _place(self, index: int, fault: Fault) -> None:
        self._added += _added_by(fault, self._recorded)
        if len(self._found) == MAX_FAULTS:
            raise ConfigError(self._source, f"fault[{index}]", f"more than {MAX_FAULTS:,} faults in all")
        if self._added > MAX_ADDED_BYTES:
            raise ConfigError(self._source, f"fault[{index}]", f"more than {MAX_ADDED_BYTES:,} bytes are added in all")
        self._taken.add(fault)
        if isinstance(fault, ClockStep):
            self._recorded.step(fault)
        self._found.append((index, fault))


def _candidates(rule: FaultRule, matching: NDArray[np.int64], draws: random.Random) -> Iterator[int]:
    if rule.every is not None:
        yield from matching[rule.every - 1 :: rule.every].tolist()
    elif rule.chance is not None:
        chance = rule.chance
        yield from [frame for frame in matching.tolist() if draws.random() < chance]
    else:
        left = matching.tolist()
        while left:
            place = int(draws.random() * len(left))
            left[place], left[-1] = left[-1], left[place]
            yield left.pop()


def _added_by(fault: Fault, recorded: Recorded) -> int:
    if isinstance(fault, Duplicate):
        return (fault.times - 1) * len(recorded.body(fault.frame))
    return fault.bytes if isinstance(fault, Oversized) else 0


def _kind_of(rule: FaultRule) -> str:
    return str(rule.__struct_config__.tag)


def _rank(fault: Fault) -> int:
    if isinstance(fault, Content):
        return 0
    return 1 if isinstance(fault, Refuse) else 2
