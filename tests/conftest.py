"""What tests of several folders share: real servers, and the real recordings where they are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.results.model import Result
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


@pytest.fixture(scope="session")
def made() -> Callable[..., Result]:
    """The builder of made-up results, which lives with the tests of the report."""
    name = "tickproof_made_results"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "report" / "made.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    builder: Any = sys.modules[name]
    return builder.result  # type: ignore[no-any-return] # loaded by path: tests are no package
