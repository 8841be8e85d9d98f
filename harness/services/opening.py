"""Both servers, found or started: the one door to this package."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from harness.errors import ServiceError, UnknownName
from harness.services import binaries, probe
from harness.services.container import running_container
from harness.services.folder import sweep
from harness.services.postgresql import running_postgresql
from harness.services.server import URL_VARIABLES, Kind, Server
from harness.services.valkey import running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from harness.services.binaries import Binaries

Mode = Literal["auto", "url", "wheel", "path", "docker"]
MODES: tuple[Mode, ...] = get_args(Mode)
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Tells why a server no longer runs; None while it does.
Problem: TypeAlias = Callable[[], "str | None"]

#: What stands between a problem and the ways out of it.
MENDS = "Any one of these mends it:"
_TITLES: dict[Kind, str] = {"postgresql": "PostgreSQL", "redis": "Redis-compatible"}
_EXAMPLE_URLS: dict[Kind, str] = {
    "postgresql": "postgresql://user:password@host:5432/database",
    "redis": "redis://host:6379/0",
}
_SYSTEM_PACKAGES: dict[Kind, str] = {"postgresql": "postgresql", "redis": "valkey-server (or redis-server)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The servers that were asked for; they live until the `with` block of `open_services` ends."""

    servers: tuple[Server, ...]
    problems: tuple[Problem, ...]

    @property
    def postgresql(self) -> Server:
        """The PostgreSQL server; raises ServiceError when none was asked for."""
        for server in self.servers:
            if server.name == "postgresql":
                return server
        raise ServiceError("no PostgreSQL server was asked for; add 'postgresql' to want=")

    @property
    def redis(self) -> Server | None:
        """The Redis-compatible server; None when none was asked for."""
        return next((server for server in self.servers if server.name == "redis"), None)

    def check(self) -> None:
        """Returns while all started servers run; raises ServiceError, with the tail of its log, when one has died."""
        for problem in self.problems:
            text = problem()
            if text:
                raise ServiceError(f"a server died in mid-run: {text}")


@contextmanager
def open_services(
    mode: str = "auto", *, environ: Mapping[str, str], want: Sequence[Kind] = KINDS, cores: Sequence[int] = ()
) -> Iterator[Services]:
    """Servers that have answered; those that we started are stopped and removed on exit, whatever ends the block.

    `mode` "auto" takes an explicit URL from `environ`, else programs from wheels, else programs on the machine; the
    other modes take one way only. `cores` pins what is started. Call it in the main thread.
    Raises UnknownName for an unknown mode, ServiceError when a server cannot be found, started or reached.
    """
    if mode not in MODES:
        raise UnknownName("services mode", mode, MODES)
    sweep()
    with ExitStack() as stack:
        opened = [_open(kind, mode, environ, cores, stack) for kind in want]
        yield Services(servers=tuple(server for server, _ in opened), problems=tuple(problem for _, problem in opened))


def four_ways(kind: Kind) -> str:
    """The ways to a server, each with its command."""
    return "\n".join(
        (
            f"  url:    export {URL_VARIABLES[kind]}={_EXAMPLE_URLS[kind]}",
            "  wheel:  pip install 'tickproof[services]'",
            f"  path:   install {_SYSTEM_PACKAGES[kind]} with the system's package manager",
            "  docker: pip install 'tickproof[docker]', start Docker, and add --services docker",
        )
    )


def _open(
    kind: Kind, mode: str, environ: Mapping[str, str], cores: Sequence[int], stack: ExitStack
) -> tuple[Server, Problem]:
    url = environ.get(URL_VARIABLES[kind], "")
    if mode == "url" or (mode == "auto" and url):
        return _explicit(kind, url), lambda: None
    if mode == "docker":
        return stack.enter_context(running_container(kind, environ=environ, cores=cores))
    tried = []
    for candidate in candidates(kind, mode, environ):
        try:
            return stack.enter_context(_started(kind, candidate, environ, cores))
        except (ServiceError, OSError) as error:  # OSError: a full disk, a folder that cannot be written
            tried.append(f"\nTried {candidate.server}: {error}")
    raise ServiceError(
        f"no {_TITLES[kind]} server could be found or started with --services {mode}. {MENDS}\n"
        f"{four_ways(kind)}{''.join(tried)}"
    )


def _explicit(kind: Kind, url: str) -> Server:
    if not url:
        variable = URL_VARIABLES[kind]
        raise ServiceError(f"--services url needs {variable}: export {variable}={_EXAMPLE_URLS[kind]}")
    product = probe.postgresql_product(url) if kind == "postgresql" else probe.redis_product(url)
    return Server(name=kind, url=url, product=product, origin="url")


def candidates(kind: Kind, mode: str, environ: Mapping[str, str]) -> Iterator[Binaries]:
    """Programs of a kind, the preferred first, of the places that a mode looks in ("auto", "wheel" or "path")."""
    if mode in {"auto", "wheel"}:
        yield from binaries.postgresql_in_wheels() if kind == "postgresql" else binaries.redis_in_wheels()
    if mode in {"auto", "path"}:
        on_machine = binaries.postgresql_on_machine if kind == "postgresql" else binaries.redis_on_machine
        yield from on_machine(environ)


def _started(
    kind: Kind, programs: Binaries, environ: Mapping[str, str], cores: Sequence[int]
) -> AbstractContextManager[tuple[Server, Problem]]:
    run = running_postgresql if kind == "postgresql" else running_redis
    return run(programs, environ=environ, cores=cores)
