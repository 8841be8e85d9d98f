"""The three codecs, real and made-up traffic, and a bot's desk for each."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from harness.backends.registry import registry
from harness.backends.stack import Stack
from harness.bot.desk import Desk
from harness.bot.plan import Plan
from harness.bot.settings import Addresses, BotSettings
from harness.bot.storage.database import create_schema, drop_schema
from harness.bot.wire import Wire
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import load
from harness.recordings.importers import import_raw
from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from harness.bot.decision import Decision
    from harness.bot.ledger import TradeRecord
    from harness.exchange.filters import SymbolFilters
    from harness.recordings.format import Recording
    from harness.services.opening import Services
    from harness.services.server import Server
    from tests.bot.replaying import Replay
    from tests.bot.servers import Mortal

# Other work shares the machine: how long an example takes says nothing.
settings.register_profile("bot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bot")

CODECS = ("json", "orjson", "msgspec")
#: Holds REST bodies only, and so nothing to replay.
WITHOUT_FRAMES = "spot-depth-snapshots"


def installed_codecs() -> list[str]:
    """json is in the standard library and msgspec is required; orjson may be absent."""
    return [name for name in CODECS if registry().is_installed("codec", name)]


@pytest.fixture(params=CODECS)
def codec_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in installed_codecs():
        pytest.skip(f"{name} is not installed")
    return name


def exact(value: Any) -> Any:
    """The value with every float as its exact bits: 0.0 and -0.0 differ, and so do the last digits."""
    if isinstance(value, msgspec.Struct):
        return (type(value).__name__, *(exact(field) for field in msgspec.structs.astuple(value)))
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    return value


def views(read: str, frames: Iterable[bytes]) -> dict[str, tuple[list[Any], dict[str, int]]]:
    """For each codec, what a new Wire makes of the frames, to the last bit, and what it counts."""
    seen = {}
    batch = list(frames)
    for name in installed_codecs():
        wire = Wire(registry().codec(name))
        take = getattr(wire, read)
        seen[name] = ([exact(take(frame)) for frame in batch], dict(wire.counts))
    return seen


@pytest.fixture(scope="session")
def same_on_all_codecs() -> Callable[..., tuple[list[Any], dict[str, int]]]:
    """Asserts that all codecs see the same in the frames, and returns it: events (exact) and counts."""

    def compared(frames: Iterable[bytes], *, read: str = "market_message") -> tuple[list[Any], dict[str, int]]:
        seen = views(read, frames)
        first, *others = seen
        for other in others:
            assert seen[other] == seen[first], f"{other} and {first} see different things"
        return seen[first]

    return compared


class Traded:
    """A desk and what it decided."""

    def __init__(
        self, codec: str, settings: BotSettings, filters: dict[str, SymbolFilters], *, trace: bool = False
    ) -> None:
        self.decisions: list[Decision] = []
        self.wire = Wire(registry().codec(codec))
        self.desk = Desk(self.wire, settings, filters, self.decisions.append, trace=trace)

    @property
    def saved(self) -> list[TradeRecord]:
        """Trades in the order in which they are to be written."""
        return [decision.trade for decision in self.decisions if decision.trade]

    def after(self, frames: Iterable[bytes]) -> Traded:
        for frame in frames:
            self.desk.on_frame(frame)
        return self


@pytest.fixture(scope="session")
def trade_on() -> Callable[..., Traded]:
    """Runs a desk over frames; `finish` it yourself."""

    def run(
        frames: Iterable[bytes],
        *,
        codec: str = "msgspec",
        settings: BotSettings | None = None,
        filters: dict[str, SymbolFilters] | None = None,
        trace: bool = False,
    ) -> Traded:
        return Traded(codec, settings or BotSettings(), filters or {}, trace=trace).after(frames)

    return run


def market_frames(recording: Recording) -> list[bytes]:
    return [frame.body for frame in recording.frames if frame.connection == "market"]


@pytest.fixture(scope="session")
def shipped() -> Recording:
    return load(find(DEFAULT_RECORDING))


@pytest.fixture(scope="session")
def shipped_frames(shipped: Recording) -> list[bytes]:
    return market_frames(shipped)


@pytest.fixture(scope="session")
def real_recordings(shared_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Every recording with frames that is kept beside the checkout, by name."""
    folder = tmp_path_factory.mktemp("real")
    imported = {}
    for source in sorted((shared_recordings / "cryptofeed").glob("*.raw")):
        if source.stem != WITHOUT_FRAMES:
            target = folder / f"{source.stem}.jsonl"
            import_raw(source, target)
            imported[source.stem] = load(target)
    assert len(imported) == 5
    return imported


@pytest.fixture(scope="session")
def real_frames(real_recordings: dict[str, Recording]) -> dict[str, list[bytes]]:
    return {name: market_frames(recording) for name, recording in real_recordings.items()}


@pytest.fixture(scope="session")
def database_url(servers: Services) -> str:
    return servers.postgresql.url


@pytest.fixture(scope="session")
def redis_url(servers: Services) -> str:
    assert servers.redis is not None
    return servers.redis.url


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    """A schema of this test only."""
    name = f"test_{secrets.token_hex(6)}"
    asyncio.run(create_schema(database_url, name))
    yield name
    asyncio.run(drop_schema(database_url, name))


@pytest.fixture
def own_postgresql() -> Iterator[Server]:
    """A PostgreSQL server of this test only, which it may end."""
    with open_services("auto", environ={}, want=("postgresql",)) as services:
        yield services.postgresql


@pytest.fixture
def mortal_postgresql(own_postgresql: Server) -> Iterator[Mortal]:
    """The same, to be killed, frozen and started again."""
    if own_postgresql.pid is None or not sys.platform.startswith("linux"):
        pytest.skip("the server cannot be started again: its process is not ours, or /proc is not there to tell how")
    server: Mortal = beside("servers").Mortal(own_postgresql)
    yield server
    server.close()


@pytest.fixture
def replay_of(shipped: Recording, tmp_path: Path) -> Callable[..., Replay]:
    """Opens so many market frames of the shipped recording, or another recording, as a whole exchange."""
    replaying = beside("replaying")

    def make(market_frames: int | None = None, *, recording: Recording | None = None, **choices: Any) -> Replay:
        whole = recording or shipped
        replay: Replay = replaying.Replay(
            whole if market_frames is None else replaying.shortened(whole, market_frames), tmp_path, **choices
        )
        return replay

    return make


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    """Made-up decisions."""
    return beside("samples")


def beside(name: str) -> ModuleType:
    """A module of this folder: tests are no package."""
    spec = importlib.util.spec_from_file_location(f"tickproof_bot_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Watched:
    """A probe that looks on, and may do something at a frame."""

    def __init__(self, at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.frames = 0
        self._at = at
        self._act = act

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def watched(frame: bytes) -> None:
            on_frame(frame)
            self.frames += 1
            if self.frames == self._at:
                self._act()

        return watched


@pytest.fixture
def watched() -> type[Watched]:
    return Watched


@pytest.fixture
def plan_of(database_url: str, schema: str, tmp_path: Path) -> Callable[..., Plan]:
    def make(market_url: str, stack: str = "asyncio+json+none", **others: Any) -> Plan:
        fields: dict[str, Any] = {
            "account_url": None,
            "addresses": Addresses(database_url=database_url),
            "schema": schema,
            "journal": tmp_path / "journal.sqlite3",
            "settings": BotSettings(),
            "filters": {},
            "poll_hz": 0.0,
        }
        return Plan(stack=Stack.parse(stack), market_url=market_url, **{**fields, **others})

    return make
