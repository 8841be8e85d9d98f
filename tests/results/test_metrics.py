from __future__ import annotations

import pytest

from harness.errors import UnknownName
from harness.results.metrics import METRICS, metric


def test_every_metric_has_a_unit_and_a_margin_below_one_in_ten() -> None:
    assert all(known.unit and 0 < known.margin < 0.1 for known in METRICS.values())


def test_an_unknown_metric_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="unknown metric 'speed'; known: cpu_percent, "):
        metric("speed")
