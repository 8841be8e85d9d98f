from __future__ import annotations

import getpass
import platform
import re
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from harness.measure import environment as module
from harness.measure.environment import Conditions, cpu_model, environment, revision, versions
from harness.results.model import Environment


@pytest.fixture
def facts() -> Environment:
    return environment(services={"postgresql": "PostgreSQL 18.6"}, pinned=True, facts={"gc": "as stated"})


def test_it_tells_the_machine_and_the_software(facts: Environment) -> None:
    assert facts.system.startswith(platform.system())
    assert facts.python == f"{platform.python_implementation()} {platform.python_version()}"
    assert facts.cores >= 1
    assert facts.memory_bytes > 10**8
    assert facts.cpu
    assert facts.packages["msgspec"] == metadata.version("msgspec")
    assert (facts.services, facts.pinned, facts.facts) == ({"postgresql": "PostgreSQL 18.6"}, True, {"gc": "as stated"})


def test_it_holds_neither_host_nor_user_nor_home(facts: Environment) -> None:
    text = msgspec.json.encode(facts).decode()
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert str(Path(__file__).resolve().parents[2]) not in text
    words = set(re.findall(r"[\w.-]+", text))
    for name in (platform.node(), getpass.getuser()):
        # A machine may be called "linux": a word that the system's own name holds gives nothing away.
        if name and name.lower() not in facts.system.lower():
            assert name not in words


def test_it_survives_json(facts: Environment) -> None:
    assert msgspec.json.decode(msgspec.json.encode(facts), type=Environment) == facts


def test_a_package_that_is_absent_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("msgspec", "no-such-distribution"))
    assert list(versions()) == ["msgspec"]


def test_the_processor_has_a_name_even_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu_model()
    monkeypatch.setattr(Path, "read_text", _unreadable)
    assert cpu_model() in {platform.processor(), platform.machine()}


def test_the_revision_is_a_commit_or_none_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = revision()
    assert found is None or re.fullmatch(r"[0-9a-f]{12}\+?", found)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "site-packages" / "harness" / "measure" / "environment.py"))
    assert revision() is None


def test_a_checkout_that_git_cannot_read_has_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "harness" / "measure" / "environment.py"))
    assert revision() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision() is None


def test_conditions_are_shares_of_the_machine_s_time() -> None:
    conditions = Conditions()
    since = conditions.since()
    assert set(since) == {"steal_share", "idle_share", "load_1min", "seconds"}
    assert 0.0 <= since["steal_share"] <= 1.0
    assert 0.0 <= since["idle_share"] <= 1.0
    assert since["load_1min"] >= 0.0
    assert since["seconds"] >= 0.0


def _unreadable(*arguments: object, **options: object) -> str:
    del arguments, options
    raise OSError("no such file")


def test_a_revision_that_was_told_is_taken_and_nonsense_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKPROOF_REVISION", "0123abcd+")
    assert revision() == "0123abcd+"
    monkeypatch.setenv("TICKPROOF_REVISION", "<b>no</b>")
    assert revision() != "<b>no</b>"
