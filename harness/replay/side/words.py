"""Numbers and foreign text as people read them."""

from __future__ import annotations

import re
from typing import Final

from harness.redact import MASK, redact

_UNITS_S: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
#: What would end a line, move the cursor, turn the direction of what follows, or is no character at all.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
#: A listen key is 64 letters and digits, and fewer where a path was cut; no symbol is as long.
_KEY: Final = re.compile(r"[A-Za-z0-9]{24,}")


def plain(text: str, *, most: int) -> str:
    """The text on one line that shows what it holds: what cannot be seen is escaped, and it is cut to `most`."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), cut)


def masked(path: str) -> str:
    """The path of a request without the listen keys that it names."""
    return _KEY.sub(MASK, redact(path))


def count(value: float) -> str:
    """`12,345,678`; one decimal where there is a fraction."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def duration(seconds: float) -> str:
    """Three digits in the unit that suits: `21.4 µs`, `1.50 ms`, `0 s`."""
    if seconds <= 0:
        return "0\u00a0s"
    scale, unit = next(((scale, unit) for scale, unit in _UNITS_S if seconds >= scale), _UNITS_S[-1])
    value = seconds / scale
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}\u00a0{unit}"
