from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.results.model import Result

#: What a recording, an arm or an error may be called by somebody who means ill.
HOSTILE = "<script>alert('x')</script> & \"quoted\" $x_1$ {{ 7 * 7 }} \u202egnp.exe\u0007 " + "long" * 300


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_result(made: Callable[..., Result]) -> Result:
    """A result in which every name that others choose is hostile."""
    return made(
        blocks=2,
        extra_arm=HOSTILE,
        recording=HOSTILE,
        cpu=HOSTILE,
        warnings=[HOSTILE, "postgresql://bot:hunter2@db/trades refused"],
        failed={"asyncio+json+redis": HOSTILE},
        settings={HOSTILE: [HOSTILE, {"rows": 1}]},
    )
