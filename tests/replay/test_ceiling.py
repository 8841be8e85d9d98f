from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from harness.replay.ceiling import _Bench, measure
from harness.replay.drain import Drained
from harness.replay.errors import ReplayFailed
from harness.replay.frames import Strips

if TYPE_CHECKING:
    from harness.replay.server import Server
    from harness.replay.tape import Tape


def test_both_clients_drain_all_frames_as_often_as_asked(server: Server, tape: Tape) -> None:
    rates = measure(server, Strips(tape), repeats=3)
    assert len(rates.counting) == len(rates.parsing) == 3
    assert min(rates.counting + rates.parsing) > 0
    assert rates.frames == 120
    assert rates.wire_bytes > sum(len(body) for body in tape.bodies if body.startswith(b'{"stream"'))
    assert server.connections == []


def test_a_client_that_did_not_get_exactly_the_frames_is_no_measurement(server: Server, tape: Tape) -> None:
    bench = _Bench(server, Strips(tape), None, Event())
    right = Drained(bytes=len(bench.strip.blob), ended_ns=1, frames=120, sha256=bench._sha256)
    bench._check(right)
    bench._check(Drained(bytes=right.bytes, ended_ns=1))
    for wrong in (
        Drained(bytes=right.bytes - 1, ended_ns=1),
        Drained(bytes=right.bytes, ended_ns=1, frames=119),
        Drained(bytes=right.bytes, ended_ns=1, frames=120, sha256="0" * 64),
    ):
        with pytest.raises(ReplayFailed, match="received"):
            bench._check(wrong)


def test_giving_up_ends_a_measurement(server: Server, tape: Tape) -> None:
    given_up = Event()
    given_up.set()
    with pytest.raises(ReplayFailed, match="cancelled"):
        measure(server, Strips(tape), repeats=1, given_up=given_up)
