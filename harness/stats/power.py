"""The smallest change that a run could have seen (MEASURING.md, rule 8)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.stats.paired import quantile_of_t

if TYPE_CHECKING:
    from harness.stats.estimate import Estimate

POWER = 0.8


def smallest_change(ratio: Estimate, *, power: float = POWER) -> float | None:
    """The relative change that a comparison as noisy as this one finds with that power, e.g. 0.04 for 4 %.

    Taken from the width of a t interval of the mean log ratio: (t of the level + t of the power) standard errors.
    None when the interval is not known.
    """
    if not ratio.is_known:
        return None
    freedom = ratio.n - 1
    edge = quantile_of_t((1 + ratio.level) / 2, freedom)
    error = math.log(ratio.high / ratio.low) / 2 / edge
    return math.expm1((edge + quantile_of_t(power, freedom)) * error)
