"""The examples of docs/backends.md, as far as they can be run without packages that nobody here has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.backends.registry import GROUPS, SLOTS, registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backends.md"


@pytest.fixture(scope="module")
def page() -> str:
    if not PAGE.is_file():
        pytest.skip(f"the documentation is not at {PAGE}")
    return PAGE.read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_every_python_example_is_python(page: str) -> None:
    examples = blocks(page, "python")
    assert len(examples) == 3
    for example in examples:
        compile(example, str(PAGE), "exec")


def test_the_example_that_needs_no_foreign_package_passes(page: str) -> None:
    space: dict[str, Any] = {}
    exec(blocks(page, "python")[-1], space)  # noqa: S102 - our own page
    space["test_the_shipped_backends"]()


def test_the_entry_point_is_of_a_group_that_there_is(page: str) -> None:
    (block,) = blocks(page, "toml")
    assert set(tomllib.loads(block)["project"]["entry-points"]) <= set(GROUPS.values())


def test_the_table_names_every_slot_its_group_and_its_backends(page: str) -> None:
    for slot in SLOTS:
        (row,) = re.findall(rf"^\| {slot} \|.*`{re.escape(GROUPS[slot])}` \|$", page, re.MULTILINE)
        for name in registry().names(slot):
            assert f"`{name}`" in row
