from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

COMMANDS = (
    *("bench", "report", "gate", "record", "doctor"),
    *("replay serve", "replay measure", "recording info", "recording verify", "recording import", "recording generate"),
    *("bot run", "claims list", "claims check", "baseline update", "history add", "history list"),
    *("services start", "services stop", "services status"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(tickproof: Callable[..., Ended], command: str) -> None:
    ended = tickproof(*command.split(), "--help")
    assert ended.status == 0, ended
    assert f"tickproof {command}" in " ".join(ended.out.split())


def test_the_version_is_told(tickproof: Callable[..., Ended]) -> None:
    assert tickproof("--version").out == f"tickproof {__version__}\n"


def test_an_unknown_command_is_bad_usage(tickproof: Callable[..., Ended]) -> None:
    assert tickproof("bogus").status == 2
