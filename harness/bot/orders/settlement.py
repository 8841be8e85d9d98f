"""Orders whose end is known, forgotten by the journal: in batches, behind the back of whoever learnt it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from harness.errors import ServiceError

if TYPE_CHECKING:
    from harness.bot.storage.journal import Journal

_log = logging.getLogger(__name__)

_LATER_S = 1.0
#: Ends that come within this are told together: each transaction takes turns of the interpreter from the market.
GATHER_S = 0.05


class Settlement:
    """Takes client order ids without waiting. What is not settled when the bot ends is sent again, and no harm done."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[str, None] = {}
        self._filled = asyncio.Event()

    def settle(self, client_order_id: str) -> None:
        """The end of this order is known."""
        self._waiting[client_order_id] = None
        self._filled.set()

    async def run(self) -> None:
        """Tell the journal, until cancelled."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_S)
            self._filled.clear()
            ids = list(self._waiting)
            try:
                await self._journal.settle(ids)
            except ServiceError as error:
                _log.warning("%s; settled orders are told later", error)
                self._filled.set()
                await asyncio.sleep(_LATER_S)
            else:
                for each in ids:
                    del self._waiting[each]
