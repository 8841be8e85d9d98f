"""The replay as a process: requests as JSON lines on stdin, events as JSON lines on stdout (messages.py).

Requests are carried out one after another in the main thread, which is also the one that sends; `cancel`, `stop` and
the end of the input are heard meanwhile.
"""

from __future__ import annotations

import gc
import math
import queue
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from harness.errors import PortTaken, RecordingError, TickproofError
from harness.recordings.format import load
from harness.recordings.loop import looped
from harness.replay import ceiling, messages
from harness.replay.conversation import House
from harness.replay.errors import BadRequest, ReplayFailed
from harness.replay.faults.fault import Faults
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.frames import Strips
from harness.replay.line import Line
from harness.replay.pacing import Pace, SendLog, lateness_us
from harness.replay.protocol.rules import SPOT
from harness.replay.server import Server
from harness.replay.serving import serve_once
from harness.replay.tape import tape_of

if TYPE_CHECKING:
    from typing import BinaryIO, NoReturn

    from harness.replay.faults.prepared import Prepared
    from harness.replay.player import Played
    from harness.replay.tape import Tape

#: A request names a file and a few numbers.
_MAX_LINE_BYTES: Final = 64 * 1024


class Lines(Protocol):
    """Where requests come from; any binary file will do."""

    def readline(self, size: int, /) -> bytes:
        """The next line with its newline; empty at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    server: Server
    strips: Strips
    prepared: Prepared
    """The tape with its faults, as it is served."""


class Replay:
    """Carries out requests; `events` go to a stream that nobody else writes to."""

    def __init__(self, events: BinaryIO) -> None:
        self._events = events
        self._loaded: _Loaded | None = None
        self._given_up = threading.Event()

    def run(self, requests: Lines) -> None:
        """Until `stop` or the end of the requests."""
        waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(requests, waiting), name="replay-requests", daemon=True).start()
        try:
            while (line := waiting.get()) is not None and self.handle(line):
                pass
        finally:
            self.close()

    def handle(self, line: bytes) -> bool:
        """Carry out one request and tell its events; False after the last one."""
        try:
            request = messages.request_in(line)
            if isinstance(request, messages.Stop):
                return False
            self._carry_out(request)
        except msgspec.MsgspecError as error:
            self._tell(messages.Failed(error=f"not a request: {error}", kind="request"))
        except TickproofError as error:
            self._tell(failure(error))
        except (OSError, MemoryError) as error:
            self._tell(messages.Failed(error=f"{type(error).__name__}: {error}"))
        return True

    def close(self) -> None:
        """Stop listening; clients are cut off."""
        self._given_up.set()
        if self._loaded is not None:
            self._loaded.server.close()
            self._loaded = None

    def _listen(self, requests: Lines, waiting: queue.SimpleQueue[bytes | None]) -> None:
        while line := requests.readline(_MAX_LINE_BYTES):
            if not line.strip():
                continue
            self._interrupt_if_asked(line)
            waiting.put(line)
        self._give_up()
        waiting.put(None)

    def _interrupt_if_asked(self, line: bytes) -> None:
        try:
            request = messages.request_in(line)
        except msgspec.MsgspecError:
            return
        if isinstance(request, messages.Cancel | messages.Stop):
            self._give_up()

    def _give_up(self) -> None:
        self._given_up.set()
        loaded = self._loaded
        if loaded is not None:
            loaded.server.abort()
            loaded.server.wake()

    def _carry_out(self, request: messages.Request) -> None:
        match request:
            case messages.Load():
                self._load(request)
            case messages.Serve():
                self._serve(request)
            case messages.Ceiling():
                self._ceiling(request)
            case messages.Cancel():
                self._given_up.clear()  # whatever ran has failed by now

    def _load(self, request: messages.Load) -> None:
        if self._loaded is not None:
            self._loaded.server.close()
            self._loaded = None
        recorded, passes = _tape(Path(request.recording), request.min_frames)
        # Among the frames that were asked for: a longer recording must not carry them away behind the end of a serve.
        asked = recorded.cut(request.min_frames or None)
        faults = resolve(request.faults, asked) if request.faults is not None else None
        made = prepared(recorded, faults or Faults(seed=0))
        tape = made.tape
        server = Server(
            request.host,
            request.port,
            house=House(rules=replace(SPOT, ping_seconds=request.ping_seconds)),
            stall_seconds=request.stall_seconds,
        )
        self._loaded = _Loaded(server=server, strips=Strips(tape), prepared=made)
        gc.collect()
        gc.freeze()
        self._tell(
            messages.Ready(
                port=server.port,
                frames=len(tape),
                market_frames=tape.market_frames,
                user_frames=tape.user_frames,
                bytes=tape.body_bytes,
                passes=passes,
                streams=tape.names,
                faults=faults,
            )
        )

    def _serve(self, request: messages.Serve) -> None:
        loaded = self._need_loaded()
        paced = request.mode == "paced"
        if request.log is not None and not paced:
            raise BadRequest("a flood has no schedule and leaves no send log; leave `log` out, or serve in mode paced")
        if request.log is not None and not Path(request.log).parent.is_dir():
            raise BadRequest(f"the folder of the send log does not exist: {Path(request.log).parent}")
        line = Line(loaded.prepared.line)
        line.attach(loaded.server)
        self._tell(messages.Armed())
        played = serve_once(
            loaded.server,
            loaded.strips,
            Pace(
                speed=request.speed if paced and request.rate is None else None,
                rate=request.rate if paced else None,
                market_frames=_cut(loaded.prepared, request.frames),
            ),
            connections=request.connections,
            wait_seconds=request.wait_seconds,
            given_up=self._given_up,
            line=line,
        )
        if request.log is not None:
            for number, log in enumerate(played.logs):
                log.write(log_path(Path(request.log), number))
        self._tell(_done(played))

    def _ceiling(self, request: messages.Ceiling) -> None:
        loaded = self._need_loaded()
        rates = ceiling.measure(
            loaded.server,
            loaded.strips,
            repeats=request.repeats,
            frames=request.frames,
            cores=request.cores,
            given_up=self._given_up,
        )
        self._tell(
            messages.CeilingFound(
                counting_frames_per_s=rates.counting,
                parsing_frames_per_s=rates.parsing,
                frames=rates.frames,
                bytes=rates.wire_bytes,
            )
        )

    def _need_loaded(self) -> _Loaded:
        if self._loaded is None:
            raise BadRequest("no recording is loaded; send `load` first")
        return self._loaded

    def _tell(self, event: messages.Event) -> None:
        self._events.write(messages.line_of(event))
        self._events.flush()


def failure(error: TickproofError) -> messages.Failed:
    """The event that tells of an error, with what is needed to raise it again on the other side."""
    match error:
        case RecordingError():
            return messages.Failed(
                error=str(error), kind="recording", path=error.path, line=error.line, problem=error.problem
            )
        case PortTaken():
            return messages.Failed(error=str(error), kind="port", host=error.host, port=error.port)
        case ReplayFailed():
            return messages.Failed(error=error.problem, kind="session", after_frames=error.after_frames)
        case _:
            return messages.Failed(error=str(error), kind="request")


def log_path(path: Path, number: int) -> Path:
    """Where the log of the n-th market connection goes: the path itself, then `.1`, `.2` before the suffix."""
    return path if number == 0 else path.with_name(f"{path.stem}.{number}{path.suffix}")


def _tape(path: Path, min_frames: int) -> tuple[Tape, int]:
    recording = load(path)
    once = len(recording.frames)
    tape = tape_of(looped(recording, min_frames))
    if not len(tape):
        raise RecordingError(path, 1, "holds REST bodies only: there is no frame to serve")
    served_once = sum(1 for frame in recording.frames if frame.connection in {"market", "user"})
    return tape, math.ceil(len(tape) / served_once) if once else 1


def _cut(made: Prepared, frames: int | None) -> int | None:
    """How many market frames are sent up to a frame as recorded."""
    if frames is None or frames >= len(made.after):
        return None
    return made.market_frames_after(frames)


def _done(played: Played) -> messages.Done:
    late = None
    if played.logs:
        p50, p99, most = lateness_us(SendLog.joined(played.logs))
        late = messages.LatenessUs(p50=p50, p99=p99, max=most)
    return messages.Done(
        market_frames=played.market_frames,
        user_frames=played.user_frames,
        started_ns=played.started_ns,
        ended_ns=played.ended_ns,
        lateness_us=late,
    )


def main(requests: Lines, events: BinaryIO) -> int:
    """The process: until `stop`, the end of its input, SIGTERM or Ctrl-C; returns its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        Replay(events).run(requests)
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    return 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
