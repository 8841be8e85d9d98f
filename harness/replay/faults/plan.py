"""Faults on purpose as people write them: a seed and a list of rules, strict TOML.

Every number of a frame is that of a market frame, counted from 1 in the recording as it was loaded, before any fault.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from harness.config import data_files, read_toml
from harness.errors import UnknownName
from harness.replay.faults.rules import FaultRule


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules in the order written; without any, nothing is done."""

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    fault: Annotated[tuple[FaultRule, ...], Meta(max_length=1_000)] = ()


def read_plan(path: Path) -> FaultPlan:
    """The plan in a TOML file; raises ConfigError with the file, the key and what is allowed."""
    return read_toml(path, FaultPlan)


def shipped_plans() -> dict[str, Path]:
    """The plans that come with the package, by name."""
    return {path.stem: path for path in data_files("faults", "*.toml")}


def find_plan(name_or_path: str) -> Path:
    """The file of a shipped plan by its name, else the path itself; UnknownName for what is neither."""
    shipped = shipped_plans()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.is_file() or path.suffix == ".toml":
        return path
    raise UnknownName("plan of faults", name_or_path, shipped)
