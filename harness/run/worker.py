"""The worker: the only process in which the chosen backends are loaded. One request in, one reply out, then gone.

Started as `python -m harness.run.worker`, by exec and with a full environment, so that an arm may be another
revision or interpreter.
"""

from __future__ import annotations

import importlib.abc
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING

import msgspec

from harness.backends.stack import Stack
from harness.errors import TickproofError
from harness.redact import redact
from harness.run.messages import BotJob, CodecJob, CostJob, Outcome, Reply, Request, SoakJob, decode_request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

#: The longest request: documents of a codec trial are in it.
MAX_REQUEST_BYTES = 64_000_000


class Absent(importlib.abc.MetaPathFinder):
    """Makes packages as good as not installed, for this process."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse the packages named; leave all others to the next finder."""
        del path, target
        if fullname.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"{fullname} is absent in this run", name=fullname)
        return None


def main() -> int:
    """Serve one request; the reply is the only thing that reaches standard output."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    reply = respond(sys.stdin.buffer.readline(MAX_REQUEST_BYTES))
    replies.write(msgspec.json.encode(reply) + b"\n")
    replies.flush()
    return 0 if reply.error is None else 1


def respond(line: bytes) -> Reply:
    """The outcome of the request, or the error in words."""
    try:
        request = decode_request(line)
        if request.absent:
            sys.meta_path.insert(0, Absent(request.absent))
        return Reply(outcome=_perform(request))
    except (TickproofError, OSError, ValueError, TimeoutError) as error:
        return Reply(error=redact(str(error)) or type(error).__name__, error_kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - the border of the process: an unforeseen error becomes a failed trial
        traceback.print_exc()
        return Reply(error=redact(f"{type(error).__name__}: {error}"), error_kind=type(error).__name__)


def _perform(request: Request) -> Outcome:
    # Each kind of job brings libraries of its own; a worker loads only what its job wants.
    stack = Stack.parse(request.stack)
    if isinstance(request.job, BotJob):
        from harness.run.bot_trial import run_bot  # noqa: PLC0415

        return run_bot(stack, request.job)
    if isinstance(request.job, CodecJob):
        from harness.run.codec_trial import run_codec  # noqa: PLC0415

        return run_codec(stack, request.job)
    if isinstance(request.job, CostJob):
        from harness.run.cost_trial import run_cost  # noqa: PLC0415

        return run_cost(stack, request.job)
    if isinstance(request.job, SoakJob):
        from harness.run.soak_trial import run_soak  # noqa: PLC0415

        return run_soak(stack, request.job)
    from harness.run.query_trial import run_queries  # noqa: PLC0415

    return run_queries(stack, request.job)


if __name__ == "__main__":
    sys.exit(main())
