"""What tests of several folders share: real servers, and the real recordings where they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.services.opening import Services

SHARED_RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"


@pytest.fixture(scope="session")
def servers() -> Iterator[Services]:
    """A real PostgreSQL and a real Redis-compatible server, for the whole session."""
    with open_services("auto", environ={}) as services:
        yield services


@pytest.fixture(scope="session")
def shared_recordings() -> Path:
    """The folder of real recorded traffic beside the checkout."""
    if not SHARED_RECORDINGS.is_dir():
        pytest.skip(f"the real recordings are not at {SHARED_RECORDINGS}")
    return SHARED_RECORDINGS
