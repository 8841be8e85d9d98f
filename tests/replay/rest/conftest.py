"""Recordings whose books can be checked: the shipped one, and those beside the checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import load
from harness.recordings.generate import find_profile, generate
from harness.recordings.importers import import_raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recordings.format import Recording


GENERATED = ("usdm-10-symbols",)


@pytest.fixture(scope="session")
def shipped() -> Recording:
    return load(find(DEFAULT_RECORDING))


@pytest.fixture(scope="session")
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recording]:
    """A recording by name: the shipped one, a generated one, or a real one, which is skipped where it is not."""
    loaded: dict[str, Recording] = {}

    def by_name(name: str) -> Recording:
        if name == DEFAULT_RECORDING:
            found: Recording = request.getfixturevalue("shipped")
            return found
        if name in GENERATED and name not in loaded:
            target = tmp_path_factory.mktemp("generated") / f"{name}.jsonl"
            generate(msgspec.structs.replace(find_profile(name), name="short", duration_ms=21_000), target)
            loaded[name] = load(target)
        elif name not in loaded:
            folder: Path = request.getfixturevalue("shared_recordings")
            target = tmp_path_factory.mktemp("recorded") / f"{name}.jsonl"
            import_raw(folder / "cryptofeed" / f"{name}.raw", target)
            loaded[name] = load(target)
        return loaded[name]

    return by_name
