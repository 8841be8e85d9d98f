"""What is in a recording, in figures: kinds, sizes, rates, bursts, symbols, depth, trades, tickers.

The figures are those by which public recordings were measured (docs/recordings.md), so that a recording of one's own,
or a generated one, can be held against them.
"""

from __future__ import annotations

from harness.recordings.statistics.describe import Description, describe

__all__ = ["Description", "describe"]
