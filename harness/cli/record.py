"""`tickproof record`: traffic into a recording, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qs, urlsplit

import typer
from rich.console import Console

from harness.backends.registry import registry
from harness.clock import MonotonicClock
from harness.errors import NothingMeasured, ServiceError, TickproofError
from harness.recordings.capture import Capture
from harness.recordings.format import MARKET, Header, Writer
from harness.redact import redact
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from harness.recordings.capture import CaptureSummary

#: Spot market streams (BINANCE.md, section 1.1); TLS is verified. USD-M has a host for each kind of stream: name it.
LIVE_SPOT = "wss://stream.binance.com:9443"


def record(
    target: Annotated[Path, typer.Argument(help="Recording to write, .jsonl or .jsonl.zst.")],
    streams: Annotated[list[str] | None, typer.Option("--stream", help="A stream's name; may be repeated.")] = None,
    url: Annotated[str, typer.Option(help="Where from: a host, or a whole /stream?streams= address.")] = LIVE_SPOT,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long, at most.")] = 60.0,
    market: Annotated[str, typer.Option(help="spot or usdm; what the recording says of itself.")] = "spot",
) -> None:
    """Capture market streams, byte for byte, with the time each frame was received. Ctrl-C ends it, and keeps it.

    Example: tickproof record btc.jsonl.zst --stream btcusdt@bookTicker --stream btcusdt@aggTrade --seconds 300
    """
    address, names = _address(url, streams or [])
    header = Header(
        market=_market(market, url),
        streams=tuple(names),
        start_ms=time.time_ns() // 1_000_000,
        source="captured",
        title=f"{len(names)} streams captured from {urlsplit(address).hostname}",
    )
    console = Console(highlight=False, soft_wrap=True)
    with Writer(target, header) as writer:
        capture = Capture(writer, MonotonicClock())
        with console.status(f"recording {len(names)} streams for {seconds:g} s"):
            _run(capture, address, seconds)
        summary = capture.summary()
        if not summary.frames:
            raise NothingMeasured(f"no frame came within {seconds:g} s; are these streams known there?")
    console.print(f"{target}: {_words(summary)}", markup=False)


def _market(name: str, url: str) -> Literal["spot", "usdm"]:
    if name == "spot":
        return "spot"
    if name != "usdm":
        raise TickproofError(f"unknown market {name!r}; known: spot, usdm")
    if url == LIVE_SPOT:
        raise TickproofError("USD-M streams come from hosts of their own: name one with --url")
    return "usdm"


def _address(url: str, streams: list[str]) -> tuple[str, list[str]]:
    """The combined-stream address, and the names of the streams that it asks for."""
    named = parse_qs(urlsplit(url).query).get("streams", [""])[0]
    names = [*filter(None, named.split("/")), *streams]
    if not names:
        raise TickproofError("name at least one stream with --stream, for example --stream btcusdt@bookTicker")
    base = url.partition("?")[0].removesuffix("/").removesuffix("/stream")
    return f"{base}/stream?streams={'/'.join(names)}", names


def _run(capture: Capture, address: str, seconds: float) -> None:
    try:
        asyncio.run(_capture(capture, address, seconds))
    except (OSError, TimeoutError) as error:
        raise ServiceError(f"{redact(address)} does not answer: {redact(str(error)) or 'time-out'}") from error
    except KeyboardInterrupt:  # the user has enough: what came is a whole recording
        return


async def _capture(capture: Capture, address: str, seconds: float) -> None:
    transport = registry().transport("websockets")
    connection = await transport.connect(address, lambda body: capture.on_frame(MARKET, body))
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await connection.wait_closed()
    finally:
        await connection.close()


def _words(summary: CaptureSummary) -> str:
    span_s = summary.span_ns / NS_PER_S
    rate = f"{summary.messages_per_second:,.1f} a second, {summary.body_bytes:,} bytes"
    return f"{summary.frames:,} frames in {span_s:.1f} s, {rate}"
