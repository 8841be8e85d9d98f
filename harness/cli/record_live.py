"""A capture while it runs: kept connections on the one side, the writing thread on the other."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from harness.backends.stamped import StampedConnection, StampedTransport
from harness.bot.connection.kept import KeptConnection
from harness.bot.connection.policy import ConnectionPolicy, Reason
from harness.bot.connection.subscriptions import AccountStream, Answer, MarketStreams, Requests
from harness.errors import ServiceError
from harness.recordings.capture.files import Outage
from harness.recordings.capture.sink import Sink
from harness.recordings.capture.tally import CaptureSummary, ConnectionSummary, files_of, rate
from harness.redact import redact
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.recordings.capture.files import Files
    from harness.recordings.capture.plan import Link
    from harness.recordings.capture.redaction import Redactor

#: A `serverShutdown` event is about 40 bytes, in its envelope 90 (BINANCE.md, section 2.1).
_SHUTDOWN = b'"serverShutdown"'
_SHUTDOWN_BYTES = 200
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Of the account's connection; those of the market count from 1.
ACCOUNT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a capture ends by itself; 0 for never."""

    seconds: float = 0.0
    frames: int = 0
    body_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a capture listens to, and how."""

    links: tuple[Link, ...]
    user_url: str | None
    limits: Limits
    silent_s: float
    """A connection that brings no byte for so long is made anew."""
    reconnect: bool
    """Whether a connection that the peer closes in order is made again."""
    resumed_from: Nanoseconds | None = None
    """The last frame of the capture that is gone on with, in unix time."""


class Live:
    """One capture; `run` once, and `summary` at any time."""

    def __init__(self, wanted: Wanted, files: Files, redactor: Redactor) -> None:
        self.frames = 0
        self.body_bytes = 0
        self.ended_by = ""
        self._offset = time.time_ns() - time.monotonic_ns()
        self._wanted = wanted
        self._files = files
        self._redactor = redactor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event = asyncio.Event()
        self.sink = Sink(files, redactor, now=lambda: self.unix(time.monotonic_ns()), on_change=self._on_change)
        policy = ConnectionPolicy(after_orderly_close="reconnect" if wanted.reconnect else "end", silent_s=0.0)
        self._lines = [_market_line(self, link, policy) for link in wanted.links]
        if wanted.user_url:
            self._lines.append(_user_line(self, wanted.user_url, policy))

    @property
    def reconnects(self) -> int:
        """How often connections were made anew so far."""
        return sum(sum(line.kept.statistics.reconnects.values()) for line in self._lines)

    @property
    def away(self) -> int:
        """How many connections are away now."""
        return sum(line.outage is not None for line in self._lines)

    @property
    def silent_s(self) -> float:
        """As wanted."""
        return self._wanted.silent_s

    @property
    def resumed_from(self) -> Nanoseconds | None:
        """As wanted."""
        return self._wanted.resumed_from

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is taken."""
        return bool(self.ended_by)

    @property
    def ends_when_closed(self) -> bool:
        """Whether a connection that the peer closes in order is over."""
        return not self._wanted.reconnect

    def unix(self, monotonic_ns: int) -> Nanoseconds:
        """Unix time of a moment, by the difference of the clocks at the start: steps of the wall clock do not enter."""
        return Nanoseconds(monotonic_ns + self._offset)

    def run(self) -> None:
        """Until a limit, a signal or the peers end it; all that came is on disk then.

        Raises ServiceError when a connection cannot be made the first time.
        """
        # Signals are the main thread's; a capture in another one is stopped by whoever started it.
        heard = _SIGNALS if threading.current_thread() is threading.main_thread() else ()
        before = {number: signal.getsignal(number) for number in heard}
        self.sink.start()
        try:
            asyncio.run(self._run(heard))
        except KeyboardInterrupt:  # in the moment before the loop listened for it
            self.stop("a signal")
        finally:
            self.sink.finish()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self, by: str) -> None:
        """Take nothing more, and let `run` return."""
        self.ended_by = self.ended_by or by
        self._stop.set()

    def take(self, at: Nanoseconds, number: int, body: bytes) -> None:
        """A frame of one of the connections."""
        if self.ended_by:
            return
        self.sink.put(at, number, body)
        self.frames += 1
        self.body_bytes += len(body)
        limits = self._wanted.limits
        if limits.frames and self.frames >= limits.frames:
            self.stop("the number of frames")
        elif limits.body_bytes and self.body_bytes >= limits.body_bytes:
            self.stop("the size")
        elif self.sink.is_full:
            for line in self._lines:
                line.kept.pause()

    def summary(self) -> CaptureSummary:
        """Of all so far; that of files once `run` has returned."""
        tallies = [tally for tally in self.sink.tallies.values() if tally.frames]
        first = min((tally.first_at for tally in tallies), default=0)
        last = max((tally.last_at for tally in tallies), default=0)
        frames = sum(tally.frames for tally in tallies)
        return CaptureSummary(
            frames=frames,
            body_bytes=sum(tally.body_bytes for tally in tallies),
            span_seconds=(last - first) / NS_PER_S,
            frames_per_second=rate(frames, first, last),
            ended_by=self.ended_by,
            held_back=self.sink.held_back,
            redacted=self._redactor.stand_ins,
            connections=tuple(line.summary(self._redactor, first, last) for line in self._lines),
            files=files_of(self._files.sealed),
        )

    async def _run(self, heard: tuple[signal.Signals, ...]) -> None:
        loop = self._loop = asyncio.get_running_loop()
        for number in heard:
            loop.add_signal_handler(number, self.stop, "a signal")
        if self._wanted.limits.seconds:
            loop.call_later(self._wanted.limits.seconds, self.stop, "the time")
        running = [asyncio.ensure_future(line.kept.run()) for line in self._lines]
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await self._until_end(running, stopped)
        finally:
            self.stop("a connection that could not be made")
            for line in self._lines:
                line.kept.stop()
            await asyncio.gather(*running, stopped, return_exceptions=True)
            self._loop = None
            # The files are about to be sealed: who asks again for the end does not keep them from it.
            for number in heard:
                loop.remove_signal_handler(number)
                signal.signal(number, lambda *_: None)

    async def _until_end(self, running: Sequence[asyncio.Future[Any]], stopped: asyncio.Future[Any]) -> None:
        waiting: set[asyncio.Future[Any]] = set(running)
        while waiting and not stopped.done():
            done, _ = await asyncio.wait({*waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting & done:
                task.result()
            waiting -= done
        self.stop("the peer")

    def _on_change(self) -> None:
        """Called by the thread that writes."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(self._changed)

    def _changed(self) -> None:
        if self.sink.failure is not None:
            self.stop("the disk")
        elif not self.sink.is_full:
            for line in self._lines:
                line.kept.resume()


class _Line:
    """One kept connection of a capture, and its gaps."""

    def __init__(
        self,
        live: Live,
        number: int,
        subscription: MarketStreams | AccountStream,
        streams: tuple[str, ...],
        policy: ConnectionPolicy,
    ) -> None:
        self.outage: Outage | None = None
        """While it is away."""
        self._live = live
        self._number = number
        self._subscription = subscription
        self._streams = streams
        self._carries: Literal["market", "user"] = "market" if number else "user"
        self._transport = StampedTransport(silent_s=live.silent_s)
        self._was_open = False
        self._leaves_at_once = False
        subscription.requests = _Acknowledged(self._ready)
        self.kept = KeptConnection(self, self._on_frame, subscription, name=self._carries, policy=policy)
        self._tally = live.sink.tally(number)
        if live.resumed_from is not None:
            self._is_away(live.resumed_from, "the capture was ended")

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> StampedConnection:
        """`contracts.Transport`: as the stamped one, but the first attempt must succeed, and ends are noticed."""
        if self.outage and self._was_open and (told := self.kept.statistics.last_close) and not told.startswith("not "):
            self._is_away(self.outage.lost_ns, told)
        try:
            connection = await self._transport.connect(url, on_frame)
        except OSError as error:
            if self._was_open:
                raise
            told = redact(str(error)) or "time-out"
            raise ServiceError(f"{redact(url.partition('?')[0])} does not answer: {told}") from error
        self._was_open = True
        connection.ended.add_done_callback(lambda _: self._ended(connection))
        if self._subscription.is_in_url:
            self._ready()
        if self._leaves_at_once:
            self._leaves_at_once = False
            asyncio.get_running_loop().call_soon(self.kept.reconnect_now, Reason.SHUTDOWN)  # once it is in use
        return connection

    def summary(self, redactor: Redactor, first: int, last: int) -> ConnectionSummary:
        """So far; the rate is over the whole capture."""
        kept, tally = self.kept.statistics, self._tally
        return ConnectionSummary(
            number=self._number,
            host=urlsplit(self._subscription.url).hostname or "",
            streams=len(self._streams),
            frames=tally.frames,
            body_bytes=tally.body_bytes,
            frames_per_second=rate(tally.frames, first, last),
            largest_bytes=tally.largest,
            unheld=tally.unheld,
            connects=kept.connects,
            reconnects=dict(kept.reconnects),
            refused_requests=kept.refused_requests,
            gaps=tally.gaps + (self.outage is not None),
            away_seconds=tally.away_ns / NS_PER_S,
            lateness=tally.lateness(),
            silent_streams=tuple(map(redactor.text, tally.silent(self._streams))),
        )

    def _on_frame(self, body: bytes) -> None:
        at = self._live.unix(self._transport.read_at)
        if self.outage and self._subscription.is_in_url:
            self._ready()  # it came with the answer to the handshake, before `connect` has returned
        self._live.take(at, self._number, body)
        if len(body) < _SHUTDOWN_BYTES and _SHUTDOWN in body:
            if (
                self.kept.connection is None
            ):  # it came with the answer to the handshake, before the connection is in use
                self._leaves_at_once = True
            else:
                self.kept.reconnect_now(Reason.SHUTDOWN)

    def _ready(self) -> None:
        """All that it carries is subscribed, as was read just now."""
        outage, self.outage = self.outage, None
        if outage and not self._live.is_ending:
            self._live.sink.back(replace(outage, back_ns=self._live.unix(self._transport.read_at)))

    def _ended(self, connection: StampedConnection) -> None:
        if self._live.is_ending or (connection.closed_in_order and self._live.ends_when_closed):
            return
        if self.outage is None:
            self._is_away(self._live.unix(connection.last_read), connection.why)

    def _is_away(self, since: Nanoseconds, why: str) -> None:
        outage = Outage(
            connection=self._carries,
            number=self._number,
            streams=self._streams,
            lost_ns=since,
            back_ns=None,
            reason=redact(why)[:300],
        )
        self.outage = outage
        self._live.sink.lost(outage)


class _Acknowledged(Requests):
    """Tells when the last of the requests under way was answered."""

    def __init__(self, on_all: Callable[[], object]) -> None:
        super().__init__()
        self._on_all = on_all

    def take(self, frame: bytes) -> Answer | None:
        """As its parent does."""
        answer = super().take(frame)
        if answer and not self.awaited:
            self._on_all()
        return answer


def _market_line(live: Live, link: Link, policy: ConnectionPolicy) -> _Line:
    return _Line(live, link.number, MarketStreams(link.url, link.subscribe), link.streams, policy)


def _user_line(live: Live, url: str, policy: ConnectionPolicy) -> _Line:
    is_api = urlsplit(url).path.startswith("/ws-api/")
    return _Line(live, ACCOUNT, AccountStream(url) if is_api else MarketStreams(url), (), policy)
