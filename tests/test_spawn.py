from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import harness
from harness.spawn import available_cores, python_environment, spawn, split_cores, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal and pinning")
#: A child that says its process id and then waits for the end of its input, or for ever.
TELL_AND_WAIT = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time\n"
    "for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)\n"
)


def python(code: str, **options: object) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, "-c", code], stdout=subprocess.PIPE, **options)  # type: ignore[arg-type]


def output_of(process: subprocess.Popen[bytes]) -> str:
    """All that it says until it ends."""
    out, _ = process.communicate(timeout=60)
    return out.decode()


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    process = python(STUBBORN)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@ON_LINUX
def test_a_child_dies_when_its_owner_is_killed() -> None:
    owner_code = (
        "import subprocess, sys\n"
        "from harness.spawn import spawn\n"
        f"child = spawn([sys.executable, '-c', {TELL_AND_WAIT!r}], stdout=subprocess.PIPE)\n"
        "print(child.stdout.readline().decode().strip(), flush=True)\n"
        "child.wait()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", owner_code], env=python_environment(), stdout=subprocess.PIPE)
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    assert child.is_running()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    gone, alive = psutil.wait_procs([child], timeout=30)
    # Where nobody reaps orphans, a dead child stays as a zombie.
    assert gone or all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


@ON_LINUX
def test_a_child_whose_owner_died_before_it_was_ready_kills_itself() -> None:
    # The set-up of a child that was started by another process than the one it now has as parent.
    code = (
        "import os, harness.spawn as s\n"
        "set_up = s._child_set_up(())\n"
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        set_up()\n"
        "        print('survived', flush=True)\n"
        "        os._exit(0)\n"
        "    os._exit(os.waitstatus_to_exitcode(os.wait()[1]) & 0x7f)\n"
        "print(os.WEXITSTATUS(os.wait()[1]) == (-9 & 0x7f))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=python_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"


@ON_LINUX
def test_a_child_runs_on_the_cores_that_it_was_given_and_its_owner_does_not_change() -> None:
    before = available_cores()
    told = output_of(python("import os; print(sorted(os.sched_getaffinity(0)))", cores=before[-1:]))
    assert told.strip() == str([before[-1]])
    assert available_cores() == before


@ON_LINUX
def test_a_core_that_is_not_there_is_no_reason_to_fail() -> None:
    told = output_of(python("import os; print(sorted(os.sched_getaffinity(0)))", cores=[4_095]))
    assert told.strip() == str(list(available_cores()))


def test_a_child_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it() -> None:
    told = output_of(python("import os; print(os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid())"))
    assert told.strip() == "True True"


def test_another_thread_than_the_main_one_is_refused() -> None:
    caught: list[BaseException] = []

    def attempt() -> None:
        try:
            spawn([sys.executable, "-c", "pass"])
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert [str(error) for error in caught] == [
        "spawn from the main thread: the parent-death signal follows the thread, not the process"
    ]


def test_arguments_reach_the_program_as_they_are_without_a_shell() -> None:
    words: list[str | Path] = ["$HOME", "a b", "*", "; exit 3", "`id`", Path("p q")]
    process = spawn(
        [sys.executable, "-c", "import sys; print(sys.argv[1:])", *words],
        stdout=subprocess.PIPE,
    )
    assert output_of(process).strip() == str([str(word) for word in words])
    assert process.returncode == 0


def test_a_program_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn([tmp_path / "nothing"])


def test_environment_and_folder_are_the_given_ones(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ.get('ONLY'), 'HOME' in os.environ)"
    process = python(code, env={"ONLY": "this", "PATH": os.defpath}, cwd=tmp_path)
    assert output_of(process).strip() == f"{tmp_path.resolve()} this False"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may drop to another user")
def test_root_can_drop_to_another_user_with_no_groups_left() -> None:
    program = Path("/bin/sh")
    process = spawn([program, "-c", "id -u; id -g; id -G"], user=65_534, stdout=subprocess.PIPE, cwd="/")
    assert output_of(process).split() == ["65534", "65534", "65534"]


def test_stopping_returns_the_status_and_may_be_done_twice() -> None:
    process = python(TELL_AND_WAIT)
    assert process.stdout is not None
    process.stdout.readline()
    assert stop(process) == -signal.SIGTERM
    assert stop(process) == -signal.SIGTERM
    process.stdout.close()


def test_stopping_takes_the_signal_that_the_program_knows() -> None:
    process = python(TELL_AND_WAIT)
    assert process.stdout is not None
    process.stdout.readline()
    assert stop(process, by=signal.SIGKILL) == -signal.SIGKILL
    process.stdout.close()


def test_a_stubborn_child_is_killed(stubborn: subprocess.Popen[bytes]) -> None:
    assert stop(stubborn, grace=0.05) == -signal.SIGKILL


def test_a_child_that_has_ended_keeps_its_own_status() -> None:
    process = spawn([sys.executable, "-c", "raise SystemExit(7)"])
    process.wait()
    assert stop(process) == 7


@pytest.mark.parametrize(
    ("cores", "worker", "rest"),
    [((), (), ()), ((0,), (), ()), ((0, 1), (1,), (0,)), ((2, 3, 5, 7), (7,), (2, 3, 5))],
)
def test_the_worker_has_the_last_core_alone(
    cores: tuple[int, ...], worker: tuple[int, ...], rest: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.spawn.available_cores", lambda: cores)
    assert split_cores() == (worker, rest)


def test_a_python_child_finds_this_package_and_nothing_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('somebody else')", encoding="utf-8")
    process = python("import harness; print(harness.__file__)", env=python_environment(A="b"), cwd=tmp_path)
    assert output_of(process).strip() == harness.__file__


def test_the_environment_of_a_python_child_adds_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/one", "/two"]))
    environment = python_environment(PYTHONHASHSEED="7")
    assert environment["PYTHONHASHSEED"] == "7"
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["PYTHONPATH"].split(os.pathsep) == [str(Path(harness.__file__).parents[1]), "/one", "/two"]
