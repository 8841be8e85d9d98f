"""What the replay says it sent against what a client says it received: the same frames, in the same order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What a message is compared by: its text as it was or, where a client hands over what it parsed, JSON in one form.
Key = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Nothing but zeros is equality."""

    served: int
    received: int
    missing: int
    """Served and not received."""
    surplus: int
    """Received and not served, or more often than served."""
    disordered: int
    """Received after one that was served later on the same connection."""

    @property
    def equal(self) -> bool:
        """Whether all that was served was received, once and in order."""
        return not (self.missing or self.surplus or self.disordered)


@dataclass(frozen=True, slots=True)
class Received:
    """The data among the messages of a client; answers to requests are left out."""

    keys: tuple[Key, ...]
    parsed: bool
    """Whether they are what the client made of the text, so that the served ones are to be parsed, too."""


def read_received(lines: Iterable[str]) -> Received:
    """The messages that a driver wrote down; raises ValueError for a mixture of texts and values."""
    keys: list[Key] = []
    kinds: set[str] = set()
    for line in lines:
        ((kind, content),) = json.loads(line).items()
        value = json.loads(content) if kind == "text" else content
        if _is_answer(value):
            continue
        kinds.add(kind)
        keys.append(content if kind == "text" else canonical(value))
    if len(kinds) > 1:
        raise ValueError("some messages as text and some as values")
    return Received(tuple(keys), kinds == {"value"})


def canonical(value: Any) -> Key:
    """JSON in one form: sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def compare(served: Sequence[Sequence[str]], received: Received) -> Difference:
    """`served` is a sequence of texts a connection; the client may have woven the connections together as it likes."""
    wanted = [[canonical(json.loads(text)) for text in one] if received.parsed else list(one) for one in served]
    want = Counter(key for one in wanted for key in one)
    have = Counter(received.keys)
    return Difference(
        served=want.total(),
        received=have.total(),
        missing=(want - have).total(),
        surplus=(have - want).total(),
        disordered=sum(_disordered(one, received.keys) for one in wanted),
    )


def _disordered(served: Sequence[Key], received: Sequence[Key]) -> int:
    # Frames are told apart by their ids, so that one text stands for one place; for equal texts the first place counts.
    places = {key: place for place, key in reversed(list(enumerate(served)))}
    count, highest = 0, -1
    for key in received:
        place = places.get(key)
        if place is None:
            continue
        count += place < highest
        highest = max(highest, place)
    return count


def _is_answer(value: Any) -> bool:
    """Answers to SUBSCRIBE and the like: `{"result": null, "id": 1}` and `{"error": {...}, "id": 1}`."""
    return isinstance(value, dict) and "id" in value and bool({"result", "error"} & value.keys())
