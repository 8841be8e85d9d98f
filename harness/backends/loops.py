"""Event loops. The import of an optional library lies in its own factory and nowhere else."""

from __future__ import annotations

import asyncio


def asyncio_loop() -> asyncio.AbstractEventLoop:
    """The standard library's loop."""
    return asyncio.new_event_loop()


def uvloop_loop() -> asyncio.AbstractEventLoop:
    """uvloop's; raises ImportError when it is not installed."""
    import uvloop  # noqa: PLC0415 - loaded only where it was chosen

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
