"""Child processes that die with their owner, pinned to cores, in a session of their own.

A session of their own keeps a terminal's Ctrl-C away from them: the owner hears it and stops them in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


#: prctl(2): deliver a signal to this process when the thread that created it ends.
_PR_SET_PDEATHSIG = 1
_ON_LINUX = sys.platform == "linux"
# Loaded before any fork: importing between fork and exec can deadlock.
_LIBC = ctypes.CDLL(None, use_errno=True) if _ON_LINUX else None

Pipe = IO[bytes] | int | None


def spawn(
    argv: Sequence[str | Path],
    *,
    cores: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    user: int | None = None,
    stdin: Pipe = subprocess.DEVNULL,
    stdout: Pipe = subprocess.DEVNULL,
    stderr: Pipe = None,
) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process ends, however it ends (Linux); never through a shell.

    `cores` pins it where the system allows; `user` is the numeric id to drop to (root only).
    Raises OSError when the program cannot be started, RuntimeError when called from another thread than the main
    one: the death signal fires when the spawning thread ends, not the process.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("spawn from the main thread: the parent-death signal follows the thread, not the process")
    with _interrupts_put_off() as heard:
        process = subprocess.Popen(
            [str(part) for part in argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
            start_new_session=True,
            preexec_fn=_child_set_up(tuple(cores)) if _ON_LINUX else None,  # noqa: PLW1509 - two system calls, no locks
        )
    try:
        for number in heard[:1]:
            signal.raise_signal(number)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


@contextlib.contextmanager
def _interrupts_put_off() -> Iterator[list[int]]:
    """Hold back Ctrl-C and SIGTERM where they have handlers; yields the signals that came meanwhile.

    CPython calls hooks around a fork and ignores what they raise: a KeyboardInterrupt born in one of them is lost.
    """
    heard: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = [number for number, handler in handlers.items() if callable(handler)]
    for number in ours:
        signal.signal(number, lambda caught, _: heard.append(caught))
    try:
        yield heard
    finally:
        for number in ours:
            signal.signal(number, handlers[number])


def _child_set_up(cores: tuple[int, ...]) -> Callable[[], None]:
    owner = os.getpid()

    def set_up() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != owner:  # the owner died between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)
        if cores:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, cores)

    return set_up


def let_end(process: subprocess.Popen[bytes], *, seconds: float = 2.0) -> int:
    """Close the input of a process that ends with it, give it that long, then `stop` it; returns its exit status.

    A signal at once could meet an interpreter that is on its way out and has no handler any more.
    """
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return stop(process)


def stop(process: subprocess.Popen[bytes], *, by: signal.Signals = signal.SIGTERM, grace: float = 5.0) -> int:
    """Ask the process to end, wait `grace` seconds, then kill it; returns its exit status."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(by)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def available_cores() -> tuple[int, ...]:
    """The cores that this process may run on, sorted; empty where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return ()


def split_cores() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cores for the worker, and for all else; both empty where there is nothing to split.

    The worker is alone on the last core: the first one serves most interrupts.
    """
    cores = available_cores()
    if len(cores) < 2:
        return (), ()
    return cores[-1:], cores[:-1]


def python_environment(**settings: str) -> dict[str, str]:
    """The whole environment for a Python child that must find this package and nothing that lies in its folder.

    `PYTHONSAFEPATH` keeps the current folder off the path: somebody's own `harness/` must not be taken for ours.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1", **settings}
    package_parent = str(Path(__file__).resolve().parent.parent)
    paths = [package_parent, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return environment
