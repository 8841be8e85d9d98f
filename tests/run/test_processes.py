from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from harness.errors import ServiceError
from harness.run.messages import PROTOCOL, CodecJob, Outcome, Reply, Request
from harness.run.processes import TrialFailed, Worker
from harness.run.worker import respond

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = CodecJob(decode={"one": ['{"a":1}']}, encode={"one": '{"a":1}'}, loops=10, values=3)


@pytest.fixture
def worker() -> Iterator[Worker]:
    with contextlib.closing(Worker(cores=(), hash_seed=1)) as made:
        yield made


def test_a_worker_measures_and_proves_what_it_ran(worker: Worker) -> None:
    worker.ask(Request(v=PROTOCOL, stack="asyncio+msgspec+none", job=JOB))
    outcome = worker.wait(60)
    assert outcome.active["codec"].startswith("msgspec")
    assert {(m.metric, m.labels["document"], len(m.values)) for m in outcome.measurements} == {
        ("decode_us", "one", 3),
        ("encode_us", "one", 3),
    }
    assert all(value > 0 for m in outcome.measurements for value in m.values)


def test_a_backend_whose_package_is_absent_is_told_with_its_pip_line(worker: Worker) -> None:
    worker.ask(Request(v=PROTOCOL, stack="asyncio+orjson+none", job=JOB, absent=["orjson"]))
    with pytest.raises(TrialFailed, match=r"pip install 'tickproof\[orjson\]'"):
        worker.wait(60)


def test_a_killed_worker_is_noticed(worker: Worker) -> None:
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(TrialFailed, match="status -9"):  # noqa: PT012 - whether asking or waiting notices is a race
        worker.ask(Request(v=PROTOCOL, stack="asyncio+json+none", job=JOB))
        worker.wait(60)


def test_a_worker_that_does_not_finish_is_given_up(worker: Worker) -> None:
    with pytest.raises(TrialFailed, match=r"within 0\.2 s"):
        worker.wait(0.2)


def test_a_server_that_dies_meanwhile_ends_the_wait(worker: Worker) -> None:
    def watch() -> None:
        raise ServiceError("gone")

    with pytest.raises(ServiceError, match="gone"):
        worker.wait(60, watch=watch)


def test_a_worker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text(f"#!{sys.executable}\nraise SystemExit('no such module: postgresql://u:secret@h/d')\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with contextlib.closing(Worker(cores=(), hash_seed=1)) as worker, pytest.raises(TrialFailed) as caught:
        worker.wait(10)
    assert "no such module" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("line", [b"", b"{", b'{"v":99}', b'{"v":1,"stack":3}', b"[]", b"\xff\n"])
def test_a_malformed_request_gets_an_answer_in_words(line: bytes) -> None:
    reply = respond(line)
    assert reply.outcome is None
    assert reply.error


def test_the_reply_carries_an_outcome_or_an_error() -> None:
    assert Reply(outcome=Outcome(active={})).error is None
