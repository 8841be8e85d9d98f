"""A recording opened as a whole exchange: market, account, REST, orders, faults and TLS, from what its owner chose."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

from harness.errors import ConfigError
from harness.replay.accounts.desk import AccountDesk
from harness.replay.accounts.keys import Keyring
from harness.replay.accounts.listen_keys import VALID_SECONDS, ListenKeys
from harness.replay.certificate import certificate_in, server_context
from harness.replay.faults.fault import Faults
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.line import Line
from harness.replay.orders.account import WitnessedAccount, wall_ms
from harness.replay.orders.latency import tick_to_order
from harness.replay.orders.log import OrderLog, read_log
from harness.replay.orders.stamps import FrameNames
from harness.replay.protocol.rules import SPOT, USDM, Rules
from harness.replay.reel import Reel
from harness.replay.rest.routes import Rest
from harness.replay.sent import MarketSent
from harness.replay.side.showing import about
from harness.replay.standing import Exchange, Standing
from harness.replay.tape import tape_of
from harness.replay.tls_front import TlsFront

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from harness.recordings.format import Recording
    from harness.replay.faults.plan import FaultPlan
    from harness.replay.orders.latency import TickToOrder
    from harness.replay.pacing import Pace
    from harness.replay.stage import Stage


_LOOK_S: Final = 0.2
#: With more orders than this tick-to-order is told at the end only: it is read from the log.
_SUMMED_UP: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the owner of a replay chose."""

    pace: Pace
    loop: bool = False
    hold: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    faults: FaultPlan | None = None
    snapshots: Literal["fixed", "current"] = "current"
    keys: Path | None = None
    """A file of test keys instead of the published ones."""
    require_keys: bool = False
    orders: Path | None = None
    """The log of accepted orders; None takes none."""
    frame_in_id: str | None = None
    """How a client order id names the frame that triggered it; None for the bundled bot's way."""
    tls: Path | None = None
    """A folder for the certificate; None speaks no TLS."""
    tls_port: int = 0
    rules: Rules | None = None
    """None for those of the recording's market."""
    listen_key_seconds: float = VALID_SECONDS
    """For which a listen key is valid."""


class Opened:
    """A replay that serves until `close`; a context manager."""

    def __init__(self, recording: Recording, choices: Choices, notice: Callable[[str], None]) -> None:
        """Raises ConfigError, PortTaken and what a file of keys, orders or faults may be wrong by."""
        self._choices = choices
        self._exit = ExitStack()
        tape = tape_of(recording.frames)
        if not len(tape):
            raise ConfigError(recording.path, "", "the recording holds REST bodies only: there is no frame to serve")
        self.faults = resolve(choices.faults, tape) if choices.faults is not None else Faults(seed=0)
        made = prepared(tape, self.faults)
        self.tape = made.tape
        self._line = Line(made.line)
        with ExitStack() as undo:
            undo.callback(self._exit.close)
            self.standing = self._stand(recording, notice)
            self.tls_url = self._speak_tls()
            undo.pop_all()

    @property
    def url(self) -> str:
        """`ws://host:port`."""
        return self.standing.url

    def close(self) -> None:
        """Cut all clients off and stop listening; may be called again."""
        self._exit.close()

    def wait(self, stop: threading.Event) -> str:
        """Serve until `stop` is set, or the replay is of no use any more; returns why, else nothing."""
        while not stop.wait(_LOOK_S) and not self.standing.server.broken:
            pass
        return self.standing.server.broken

    def tick_to_order(self) -> TickToOrder | None:
        """Of all orders in the log; None where no orders are taken."""
        return tick_to_order(read_log(self._choices.orders)) if self._choices.orders is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stand(self, recording: Recording, notice: Callable[[str], None]) -> Standing:
        choices, market = self._choices, recording.header.market
        reel = Reel(self.tape, recording if choices.loop else None)
        listen_keys = ListenKeys(choices.listen_key_seconds)
        log = self._exit.enter_context(OrderLog(choices.orders)) if choices.orders is not None else None
        served = about(
            recording,
            self.tape.names,
            choices.pace,
            account=self.tape.user_frames > 0 or log is not None,
            loops=choices.loop,
            faults=[msgspec.to_builtins(fault) for fault in self.faults.faults],
        )

        def exchange(stage: Stage) -> Exchange:
            return Exchange(
                desk=self._desk(recording, stage, listen_keys, log),
                rest=Rest(
                    recording.header,
                    self.tape,
                    recording.frames,
                    snapshots=choices.snapshots,
                    where=stage.where,
                    listen_keys=listen_keys,
                    wall_ms=wall_ms,
                    bodies_of=reel.bodies_of,
                ),
                expired=listen_keys.expired,
                orders=log,
                tick_to_order=lambda: self.tick_to_order() if log is not None and len(log) <= _SUMMED_UP else None,
            )

        return self._exit.enter_context(
            Standing(
                reel,
                choices.pace,
                about=served,
                host=choices.host,
                port=choices.port,
                notice=notice,
                hold=choices.hold,
                line=self._line,
                exchange=exchange,
                rules=choices.rules or (USDM if market == "usdm" else SPOT),
            )
        )

    def _desk(self, recording: Recording, stage: Stage, listen_keys: ListenKeys, log: OrderLog | None) -> AccountDesk:
        choices = self._choices
        names = FrameNames(choices.frame_in_id) if choices.frame_in_id is not None else FrameNames()
        taking = (
            WitnessedAccount(log, filters=recording.header.filters, frames=names, stamps=MarketSent(names, stage.sent))
            if log is not None
            else None
        )
        return AccountDesk(
            recording.header.market,
            keys=Keyring.read(choices.keys) if choices.keys is not None else Keyring(),
            require_keys=choices.require_keys,
            listen_keys=listen_keys,
            orders=taking,
        )

    def _speak_tls(self) -> str | None:
        choices = self._choices
        if choices.tls is None:
            return None
        server = self.standing.server
        front = TlsFront(
            server_context(certificate_in(choices.tls)),
            host=server.host,
            port=choices.tls_port,
            upstream=(server.host, server.port),
        )
        self._exit.enter_context(front)
        self.standing.tls_url = f"wss://localhost:{front.port}"
        return self.standing.tls_url
