"""Quantiles that know when the sample is too small for them (MEASURING.md, rule 10)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A quantile q wants about 100 values beyond it.
_VALUES_BEYOND = 100


def samples_wanted(q: float) -> int:
    """How many values quantile `q` (0 <= q < 1) needs before it may be shown."""
    return math.ceil(round(_VALUES_BEYOND / (1 - q), 6))


def quantile(values: NDArray[np.int64] | NDArray[np.float64], q: float) -> float | None:
    """The quantile of all values, or None when n is too small for it."""
    if values.size < samples_wanted(q):
        return None
    return float(np.quantile(values, q))
