from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from harness.recordings import generate
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import Frame, Header, Recording, Writer, load
from harness.recordings.generate import Profile, find_profile
from harness.units import Nanoseconds

HEADER = Header(
    market="spot", streams=("btcusdt@trade",), start_ms=1_791_201_600_000, source="captured", title="a test"
)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "cryptofeed"

Make = Callable[..., Recording]


@pytest.fixture
def header() -> Header:
    return HEADER


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes bodies (or whole frames) as a recording and reads it again."""

    def made(bodies: Iterable[bytes | Frame], *, header: Header = HEADER, name: str = "made.jsonl") -> Recording:
        path = tmp_path / name
        with Writer(path, header) as writer:
            for number, body in enumerate(bodies):
                writer.write(body if isinstance(body, Frame) else _frame(number, body))
        return load(path)

    return made


def _frame(number: int, body: bytes) -> Frame:

    return Frame(Nanoseconds(number * 1_000_000), "market", body)


@pytest.fixture(scope="session")
def short_profile() -> Profile:
    """The shipped profile, but 21 seconds of it."""
    return msgspec.structs.replace(find_profile("spot-30-symbols"), name="short", duration_ms=21_000)


@pytest.fixture(scope="session")
def shipped() -> Recording:
    return load(find(DEFAULT_RECORDING))


@pytest.fixture(scope="session")
def usdm(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A minute of the USD-M profile, and two seconds of the next."""
    path = tmp_path_factory.mktemp("usdm") / "usdm.jsonl"
    generate.generate(find_profile("usdm-10-symbols", duration_ms=62_000), path)
    return load(path)


@pytest.fixture(scope="session")
def spot_tickers(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Forty seconds of the shipped profile, with tickers of all symbols and raw trades of ten."""
    path = tmp_path_factory.mktemp("spot") / "spot.jsonl"
    profile = find_profile(DEFAULT_RECORDING, duration_ms=40_000)
    streams = {**profile.streams, "ticker": "all", "miniTicker": "all", "trade": 10}
    generate.generate(msgspec.structs.replace(profile, streams=streams), path)
    return load(path)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the recordings kept beside the checkout are not there: {SHARED.name} in ../shared/recordings")
    return SHARED
