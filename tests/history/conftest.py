from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.results.model import Result


@pytest.fixture(scope="session")
def made() -> Callable[..., Result]:
    """The builder of made-up results, which lives with the tests of the report."""
    name = "tickproof_made_results"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "report" / "made.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    builder: Any = sys.modules[name]
    return builder.result  # type: ignore[no-any-return] # loaded by path: tests are no package
