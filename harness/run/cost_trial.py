"""What a message costs the bot, in process and without a socket, beside the cost of decoding it alone."""

from __future__ import annotations

import gc
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec

from harness.backends.registry import registry
from harness.bot.desk import Desk
from harness.bot.wire import Wire
from harness.errors import TickproofError
from harness.exchange import streams
from harness.exchange.book_sync import Snapshot
from harness.exchange.events import MARKET_SHAPES
from harness.recordings.format import MARKET, REST, load
from harness.recordings.loop import looped
from harness.results.model import Measurement
from harness.run.messages import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.backends.stack import Stack
    from harness.bot.decision import Decision
    from harness.bot.market import SymbolState
    from harness.bot.settings import BotSettings
    from harness.recordings.format import Recording
    from harness.run.messages import CostJob

    Run = Callable[[], None]
    Piece = Callable[[Sequence[bytes]], Run]
    """Makes everything ready for these frames, so that the run is all that is timed."""

ALL = "all"
TYPED, LOADS, WIRE, MARKET_STATE, DESK = PIECES = ("msgspec typed decode", "codec loads", "wire", "market", "desk")
METRIC = "message_us"
_HEAD = b'{"stream":"'
_BETWEEN = b'","data":'


def run_cost(stack: Stack, job: CostJob) -> Outcome:
    """Microseconds a message of every piece, for the whole mix and for each kind of event alone; a value a pass.

    The pieces are the floors (msgspec's typed decoding of the payload; the codec's own `loads` of the frame), then
    `wire` (bytes to events), `market` (events into the state) and `desk` (all that the bot does without I/O). Within a
    pass they come in a fresh random order.
    """
    recording = load(Path(job.recording))
    frames = _frames(recording, job)
    by_event = {ALL: frames, **(_by_kind(frames) if job.by_event else {})}
    known = _pieces(stack.codec, job.bot, _snapshots(recording))
    pieces = {name: piece for name, piece in known.items() if name in (job.pieces or PIECES)}
    found: dict[tuple[str, str], list[float]] = {}
    rng = random.Random(job.seed)
    quiet_collector()
    for _ in range(job.passes):
        cells = [(piece, event) for piece in pieces for event in by_event]
        for piece, event in rng.sample(cells, len(cells)):
            sample = by_event[event]
            found.setdefault((piece, event), []).append(_timed(pieces[piece](sample)) / _timed_messages(sample))
    return Outcome(
        active={},
        measurements=[
            Measurement(metric=METRIC, labels={"piece": piece, "event": event}, values=values)
            for (piece, event), values in found.items()
        ],
        counters={event: _timed_messages(sample) for event, sample in by_event.items()},
    )


def _frames(recording: Recording, job: CostJob) -> list[bytes]:
    taken = [frame.body for frame in looped(recording, job.frames) if frame.connection == MARKET]
    return _spread(taken, job.symbols) if job.symbols else taken


def _by_kind(frames: Sequence[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for frame in frames:
        found.setdefault(streams.parse(_name_of(frame)).kind, []).append(frame)
    return found


def _name_of(frame: bytes) -> str:
    return frame[len(_HEAD) : frame.find(_BETWEEN)].decode()


def _spread(frames: Sequence[bytes], symbols: int) -> list[bytes]:
    """The same frames over so many symbols: each stream's frames go to the copies of its symbol in turn."""
    seen: dict[str, int] = {}
    names = sorted({_name_of(frame).partition("@")[0] for frame in frames})
    copies = max(1, symbols // len(names))
    renamed = []
    for frame in frames:
        symbol = _name_of(frame).partition("@")[0]
        # Runs of frames stay together, as a symbol's own frames do in a burst.
        turn = seen.get(symbol, 0)
        seen[symbol] = turn + 1
        new = f"{symbol}{turn % copies:04}"
        renamed.append(
            frame.replace(f'"{symbol}@'.encode(), f'"{new}@'.encode()).replace(
                f'"s":"{symbol.upper()}"'.encode(), f'"s":"{new.upper()}"'.encode()
            )
        )
    return renamed


def _snapshots(recording: Recording) -> dict[str, Snapshot]:
    """The first depth snapshot of each symbol that was recorded with the stream."""
    found: dict[str, Snapshot] = {}
    for frame in recording.frames:
        path, _, query = frame.connection.removeprefix(REST).partition("?")
        if frame.connection.startswith(REST) and path.endswith("/depth"):
            [symbol] = parse_qs(query)["symbol"]
            found.setdefault(symbol.upper(), msgspec.json.decode(frame.body, type=Snapshot))
    return found


def _pieces(codec: str, settings: BotSettings, snapshots: dict[str, Snapshot]) -> dict[str, Piece]:
    return {
        TYPED: _typed_decoding,
        LOADS: lambda frames: _over(frames, registry().codec(codec).loads),
        WIRE: lambda frames: _over(frames, Wire(registry().codec(codec)).market_message),
        MARKET_STATE: lambda frames: _over(frames, _desk(_Unjudged, codec, settings, snapshots)),
        DESK: lambda frames: _over(frames, _desk(Desk, codec, settings, snapshots)),
    }


class _Unjudged(Desk):
    """Takes events into the market and goes no further."""

    def _evaluate(self, kind: str, state: SymbolState) -> None:
        pass


def _desk(
    kind: type[Desk], codec: str, settings: BotSettings, snapshots: dict[str, Snapshot]
) -> Callable[[bytes], None]:
    """With the book on, a snapshot is there the moment it is asked for: the network is not the desk's cost."""

    def request(symbol: str) -> None:
        if symbol not in snapshots:
            raise TickproofError(f"the recording holds no depth snapshot of {symbol} that fits: no book can be kept")
        desk.depth.on_snapshot(symbol, snapshots.pop(symbol))

    snapshots = dict(snapshots)
    desk = kind(
        Wire(registry().codec(codec)), settings, {}, _forget, request_snapshot=request if settings.book else None
    )
    return desk.on_frame


def _forget(decision: Decision) -> None:
    """What becomes of a decision is not the desk's cost."""


def _over(frames: Sequence[bytes], take: Callable[[bytes], object]) -> Run:
    """The first half makes streams and symbols known, untimed; the second is the run."""
    half = len(frames) // 2
    for frame in frames[:half]:
        take(frame)
    rest = frames[half:]

    def run() -> None:
        for frame in rest:
            take(frame)

    return run


def _typed_decoding(frames: Sequence[bytes]) -> Run:
    """The strictest floor: payloads cut out beforehand, the right decoder at hand.

    What the bot does not read it does not decode either: there the floor is nothing at all.
    """
    decoders = {kind: msgspec.json.Decoder(shape, strict=False).decode for kind, shape in MARKET_SHAPES.items()}
    pairs = [
        (decoders.get(streams.parse(_name_of(frame)).kind, _leave), frame[frame.find(_BETWEEN) + len(_BETWEEN) : -1])
        for frame in frames[len(frames) // 2 :]
    ]

    def run() -> None:
        for decode, payload in pairs:
            decode(payload)

    return run


def _leave(payload: bytes) -> None:
    """A stream that nobody here reads."""


def _timed_messages(frames: Sequence[bytes]) -> int:
    return len(frames) - len(frames) // 2


def _timed(run: Run) -> float:
    """Microseconds."""
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / 1e3


def quiet_collector() -> None:
    """The bot's own policy (harness.bot.app): what lives is frozen out of the collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
