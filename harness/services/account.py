"""As whom a server runs that refuses to run as root.

Two ways, both without making a user: drop to `nobody`, or stay and be called `nobody` in a user namespace of its own,
which also works where `nobody` may not enter the folder of the programs (a virtual environment under /root).
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.services.folder import others_may_enter
from harness.spawn import spawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: The id that Linux itself uses for "nobody in particular" (/proc/sys/kernel/overflowuid).
_OVERFLOW_USER = 65534
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A way to run a program: words before it, or a user to drop to."""

    name: str
    prefix: tuple[str, ...] = ()
    user: int | None = None

    def problem_with(self, program: Path, folder: Path, environ: Mapping[str, str]) -> str | None:
        """Why this program cannot be run like this on this folder; None when it can. It is tried, not guessed."""
        if self.user is not None and not others_may_enter(folder):
            return f"user {self.user} cannot enter {folder}"
        try:
            child = self.start([program, "--version"], environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except OSError as error:
            return str(error)
        with child:
            try:
                said = child.communicate(timeout=_ANSWER_SECONDS)[1].decode(errors="replace").strip()
            except subprocess.TimeoutExpired:
                child.kill()
                return f"{program} did not answer"
        return None if child.returncode == 0 else said or f"status {child.returncode}"

    def start(
        self,
        argv: Sequence[str | Path],
        environ: Mapping[str, str],
        *,
        stdout: int,
        stderr: int,
        cores: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """The program, started in `/`; it dies with this process. Raises OSError."""
        return spawn(
            [*self.prefix, *argv], env=environ, cwd="/", user=self.user, cores=cores, stdout=stdout, stderr=stderr
        )

    def give(self, folder: Path) -> None:
        """Make the folder this account's own; raises OSError where that is not allowed."""
        if self.user is not None:
            os.chown(folder, self.user, self.user)


def accounts() -> tuple[Account, ...]:
    """The ways to run PostgreSQL, the simplest first.

    It refuses root, and `initdb` refuses a user id without a name (`docker run --user 1234`).
    """
    plain = Account(name="this user")
    nobody = _nobody()
    mapped = Account(
        name="a user namespace (unshare)", prefix=("unshare", "-U", f"--map-user={nobody}", f"--map-group={nobody}")
    )
    if os.geteuid() == 0:
        return dropped(), mapped
    return (plain,) if _has_name(os.geteuid()) else (mapped, plain)


def dropped() -> Account:
    """The unprivileged user that root drops to."""
    return Account(name=f"user {_nobody()}", user=_nobody())


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return _OVERFLOW_USER


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True
