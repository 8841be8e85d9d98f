"""One account that trades in the generated market: what it does is one module, how each market books it another."""

from __future__ import annotations

from harness.recordings.generate.accounts.spot import SpotLedger
from harness.recordings.generate.accounts.trader import Ledger, Order, Trader
from harness.recordings.generate.accounts.usdm import UsdmLedger

__all__ = ["Ledger", "Order", "SpotLedger", "Trader", "UsdmLedger"]
