from __future__ import annotations

import os
import subprocess
import sys

from harness.services.identity import ProcessIdentity, start_mark


def test_this_process_runs_and_is_itself() -> None:
    me = ProcessIdentity.current()
    assert me.runs()
    assert me == ProcessIdentity.of(os.getpid())


def test_a_later_process_with_the_same_pid_is_another() -> None:
    other = ProcessIdentity(pid=os.getpid(), start_mark="an earlier start")
    assert not other.runs()


def test_a_zombie_and_a_reaped_process_do_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = ProcessIdentity.of(child.pid)
    assert identity is not None
    assert identity.runs()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.runs()
    child.communicate()
    assert start_mark(child.pid) is None
    assert ProcessIdentity.of(child.pid) is None
