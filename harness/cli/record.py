"""`tickproof record`: traffic into a recording, as it comes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlsplit

import typer
from rich.console import Console

from harness.backends.registry import registry
from harness.clock import MonotonicClock
from harness.errors import NothingMeasured, ServiceError, TickproofError
from harness.recordings.capture import Capture
from harness.recordings.format import Header, Writer
from harness.redact import redact

if TYPE_CHECKING:
    from harness.backends.contracts import Connection

LIVE = "wss://stream.binance.com:9443"


def record(
    target: Annotated[Path, typer.Argument(help="Recording to write, .jsonl or .jsonl.zst.")],
    streams: Annotated[list[str] | None, typer.Option("--stream", help="A stream's name; may be repeated.")] = None,
    url: Annotated[str, typer.Option(help="Where from: a host, or a whole /stream?streams= address.")] = LIVE,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 60.0,
    market: Annotated[str, typer.Option(help="spot or usdm.")] = "spot",
) -> None:
    """Capture market streams, byte for byte, with the time each frame was received.

    Example:
        tickproof record btc.jsonl.zst --stream btcusdt@bookTicker --stream btcusdt@aggTrade --seconds 300
    """
    if market not in ("spot", "usdm"):
        raise TickproofError(f"unknown market {market!r}; known: spot, usdm")
    address, names = _address(url, streams or [])
    header = Header(
        market="spot" if market == "spot" else "usdm",
        streams=tuple(names),
        start_ms=time.time_ns() // 1_000_000,
        source="captured",
        title=f"{len(names)} streams captured from {urlsplit(address).hostname}",
    )
    console = Console(highlight=False, soft_wrap=True)
    with Writer(target, header) as writer:
        capture = Capture(writer, MonotonicClock())
        try:
            asyncio.run(_capture(capture, address, seconds))
        except (OSError, TimeoutError) as error:
            raise ServiceError(f"{redact(address)} does not answer: {redact(str(error)) or 'time-out'}") from error
        except KeyboardInterrupt:
            console.print("interrupted: what came so far is kept")
        if not capture.summary().frames:
            raise NothingMeasured(f"no frame came within {seconds:g} s; are these streams known there?")
    console.print(f"{target}: {capture.summary()}", markup=False)


def _address(url: str, streams: list[str]) -> tuple[str, list[str]]:
    named = parse_qs(urlsplit(url).query).get("streams", [""])[0]
    names = [*filter(None, named.split("/")), *streams]
    if not names:
        raise TickproofError("name at least one stream with --stream, for example --stream btcusdt@bookTicker")
    base = url.partition("?")[0].removesuffix("/").removesuffix("/stream")
    return f"{base}/stream?streams={'/'.join(names)}", names


async def _capture(capture: Capture, address: str, seconds: float) -> None:
    connection: Connection = (
        await registry().transport("websockets").connect(address, lambda body: capture.on_frame("market", body))
    )
    try:
        async with asyncio.timeout(seconds):
            await connection.wait_closed()
    except TimeoutError:
        pass
    finally:
        await connection.close()
