"""Numbers and envelopes as both wires write them."""

from __future__ import annotations

from typing import Final

from harness.recordings.generate.profile import UNITS

#: What units have.
UNIT_DECIMALS: Final = 8
_POWERS: Final = tuple(10**power for power in range(UNIT_DECIMALS + 1))


def number(units: int, decimals: int = UNIT_DECIMALS) -> str:
    """1e-8 units with so many decimals, at most eight; what is finer is cut off."""
    sign = "-" if units < 0 else ""
    if decimals == UNIT_DECIMALS:
        whole, part = divmod(abs(units), UNITS)
        return f"{sign}{whole}.{part:08d}"
    whole, part = divmod(abs(units) // _POWERS[UNIT_DECIMALS - decimals], _POWERS[decimals])
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def thousandths(value: int) -> str:
    """Thousandths with three decimals."""
    whole, part = divmod(abs(value), 1_000)
    return f"{'-' if value < 0 else ''}{whole}.{part:03d}"


def envelope(stream: str, payload: str) -> bytes:
    """The frame of a combined connection."""
    return f'{{"stream":"{stream}","data":{payload}}}'.encode()


def flag(value: bool) -> str:  # noqa: FBT001 - a JSON value, not an option
    """A JSON boolean."""
    return "true" if value else "false"
