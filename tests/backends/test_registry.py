from __future__ import annotations

import gc
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from harness.backends.registry import GROUPS, SLOTS, Registry, registry
from harness.errors import BackendNotInstalled, ExitCode, TickproofError, UnknownName
from harness.run.worker import Absent
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHIPPED = {
    "loop": ("asyncio", "uvloop"),
    "codec": ("json", "orjson", "msgspec"),
    "cache": ("none", "memory", "redis"),
    "transport": ("websockets",),
}
OPTIONAL = [("loop", "uvloop"), ("codec", "orjson"), ("cache", "redis")]


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes a package as good as not installed for the rest of a test.

    Without collections: a finaliser that imports, run in the middle of an import, breaks importlib's own locks
    (KeyError in `_ModuleLock`; github.com/python/cpython/issues/106176), and other tests leave objects to finalise.
    """
    gc.collect()
    gc.disable()

    def hide(package: str) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        # The module that imports redis when it is imported itself.
        monkeypatch.delitem(sys.modules, "harness.backends.redis_cache", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Absent([package]), *sys.meta_path])

    yield hide
    gc.enable()


def entry(name: str, value: str, slot: str = "codec") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUPS[slot])


@pytest.mark.parametrize("slot", SLOTS)
def test_the_backends_that_ship_are_known_in_the_order_they_are_offered(slot: str) -> None:
    names = registry().names(slot)
    assert names[: len(SHIPPED[slot])] == SHIPPED[slot]


def test_listing_names_and_parsing_a_stack_imports_no_backend() -> None:
    code = (
        "import sys\n"
        "from harness.backends.registry import SLOTS, registry\n"
        "from harness.backends.stack import Stack\n"
        "names = [registry().names(slot) for slot in SLOTS]\n"
        "for stack in ('asyncio+json+none', 'asyncio+msgspec+memory'): Stack.parse(stack).check_installed()\n"
        "[registry().is_installed('loop', 'uvloop'), registry().is_installed('codec', 'orjson')]\n"
        "Stack.parse('uvloop+orjson+redis+websockets')\n"
        "wrong = sorted({'uvloop', 'orjson', 'redis', 'msgspec', 'websockets', 'asyncpg'} & set(sys.modules))\n"
        "print(len(names), wrong)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=python_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "4 []"


@pytest.mark.parametrize("slot", SLOTS)
def test_an_unknown_name_is_refused_with_the_known_ones(slot: str) -> None:
    with pytest.raises(UnknownName) as caught:
        registry().factory(slot, "simdjson")
    assert caught.value.known == tuple(sorted(registry().names(slot)))
    assert str(caught.value).startswith(f"unknown {slot} backend 'simdjson'; known: ")
    assert caught.value.exit_code is ExitCode.BAD_INPUT


@pytest.mark.parametrize(("slot", "name"), OPTIONAL)
def test_a_known_backend_without_its_package_is_refused_with_the_line_that_installs_it(
    slot: str, name: str, absent: Callable[[str], None]
) -> None:
    absent(name)
    told = rf"{slot} backend '{name}' is not installed; install it with: pip install 'tickproof\[{name}\]'"
    assert not registry().is_installed(slot, name)
    with pytest.raises(BackendNotInstalled, match=told) as caught:
        registry().check_installed(slot, name)
    assert caught.value.exit_code is ExitCode.BAD_INPUT
    with pytest.raises(BackendNotInstalled, match=told):
        make(slot, name)


@pytest.mark.parametrize(("slot", "name"), OPTIONAL)
def test_the_others_work_without_it(slot: str, name: str, absent: Callable[[str], None]) -> None:
    absent(name)
    for other_slot, others in SHIPPED.items():
        for other in others:
            if (other_slot, other) != (slot, name) and registry().is_installed(other_slot, other):
                assert make(other_slot, other) is not None


def make(slot: str, name: str) -> object:
    if slot == "loop":
        loop = registry().loop(name)()
        loop.close()
        return loop
    makers: dict[str, Callable[[str], object]] = {
        "codec": registry().codec,
        "cache": registry().cache,
        "transport": registry().transport,
    }
    return makers[slot](name)


def test_what_is_installed_is_made(needs: Callable[[str, str], None]) -> None:
    for slot, name in OPTIONAL:
        needs(slot, name)
        registry().check_installed(slot, name)
        assert make(slot, name) is not None


@pytest.mark.parametrize(
    ("slot", "name", "module"),
    [
        ("loop", "uvloop", "uvloop"),
        ("codec", "json", "json"),
        ("cache", "redis", "redis"),
        ("cache", "none", ""),
        ("transport", "websockets", "websockets"),
    ],
)
def test_each_backend_has_a_module_that_it_must_be_found_in(slot: str, name: str, module: str) -> None:
    assert registry().module_of(slot, name) == module


def test_a_name_offered_twice_is_refused_and_names_both() -> None:
    made = Registry()
    made.add(entry("fast", "one_package:Codec"))
    made.add(entry("fast", "one_package:Cache", slot="cache"))  # another slot is another name
    with pytest.raises(TickproofError, match=r"'fast' is offered twice, by one_package:Codec and by other\.codec:Fast"):
        made.add(entry("fast", "other.codec:Fast"))
    assert made.names("codec") == made.names("cache") == ("fast",)


def test_an_entry_point_of_another_group_is_refused_with_the_groups_there_are() -> None:
    with pytest.raises(TickproofError, match=r"tickproof\.clocks.*tickproof\.loops, tickproof\.codecs, .*transports"):
        Registry().add(EntryPoint(name="sundial", value="sundial:Clock", group="tickproof.clocks"))
