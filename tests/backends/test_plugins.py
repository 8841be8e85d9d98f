"""A third party's package, as pip would have laid it on the disk, enters by the same door as ours."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.backends.conformance import check_codec
from harness.backends.proof import codec_in_use, discrepancies
from harness.backends.registry import registry
from harness.backends.stack import Stack
from harness.errors import BackendNotInstalled, TickproofError
from harness.run.checks import problems_of
from harness.run.messages import PROTOCOL, CodecJob, Reply, Request
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CODEC = '''
import msgspec


class Codec:
    """Wraps a library of another name, as most plugins do."""

    errors = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

    def __init__(self):
        self.loads = msgspec.json.Decoder().decode
        self.dumps = msgspec.json.Encoder().encode

    @property
    def engine(self):
        return self.loads
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Lays a distribution with one module and its entry points into a folder on the path."""

    def lay(distribution: str, module: str, text: str, entry_points: str) -> Path:
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        information = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        information.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        (information / "METADATA").write_text(metadata, encoding="utf-8")
        (information / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        importlib.invalidate_caches()
        registry.cache_clear()
        return tmp_path

    monkeypatch.syspath_prepend(tmp_path)
    yield lay
    registry.cache_clear()
    for name in ("mycodec", "othercodec", "broken"):
        sys.modules.pop(name, None)


ENTRY = "[tickproof.codecs]\nmine = mycodec:Codec\n"


def test_a_plugin_is_listed_without_being_imported(install: Callable[..., Path]) -> None:
    install("tickproof-mycodec", "mycodec", CODEC, ENTRY)
    assert registry().names("codec") == ("json", "orjson", "msgspec", "mine")
    Stack.parse("asyncio+mine+none").check_installed()
    assert "mycodec" not in sys.modules


def test_a_plugin_is_made_checked_and_proven_like_ours(install: Callable[..., Path]) -> None:
    install("tickproof-mycodec", "mycodec", CODEC, ENTRY)
    codec = registry().codec("mine")
    assert check_codec(codec) == []
    active = {"codec": codec_in_use(codec)}
    assert active["codec"].startswith("msgspec.")
    assert active["codec"].endswith(" in mycodec.Codec")
    assert discrepancies(Stack.parse("asyncio+mine+none"), active, cache_hits=0) == []
    assert discrepancies(Stack.parse("asyncio+json+none"), active, cache_hits=0)


def test_a_plugin_runs_in_a_worker(install: Callable[..., Path]) -> None:
    folder = install("tickproof-mycodec", "mycodec", CODEC, ENTRY)
    job = CodecJob(decode={"one": ['{"a":1}']}, encode={"one": '{"a":1}'}, loops=10, values=2)
    request = msgspec.json.encode(Request(v=PROTOCOL, stack="asyncio+mine+none", job=job))
    environment = python_environment()
    environment["PYTHONPATH"] += f":{folder}"
    done = subprocess.run(
        [sys.executable, "-m", "harness.run.worker"],
        input=request + b"\n",
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    reply = msgspec.json.decode(done.stdout, type=Reply)
    assert reply.outcome is not None
    assert {(found.metric, len(found.values)) for found in reply.outcome.measurements} == {
        ("decode_us", 2),
        ("encode_us", 2),
    }
    assert problems_of("asyncio+mine+none", reply.outcome, None) == []
    assert problems_of("asyncio+json+none", reply.outcome, None) != []


def test_a_plugin_that_lacks_its_library_is_told_by_the_name_of_its_own_package(install: Callable[..., Path]) -> None:
    install("tickproof-broken", "broken", "import no_such_library\n", "[tickproof.codecs]\nbroken = broken:Codec\n")
    with pytest.raises(BackendNotInstalled, match=r"'broken' is not installed.*pip install tickproof-broken$"):
        registry().codec("broken")


def test_two_plugins_of_one_name_are_refused_and_both_are_named(install: Callable[..., Path]) -> None:
    install("tickproof-mycodec", "mycodec", CODEC, ENTRY)
    install("tickproof-othercodec", "othercodec", CODEC, "[tickproof.codecs]\nmine = othercodec:Codec\n")
    with pytest.raises(TickproofError, match="offered twice") as caught:
        registry()
    assert {"mycodec:Codec", "othercodec:Codec"} <= set(str(caught.value).replace(";", "").split())


def test_a_plugin_cannot_take_the_name_of_one_of_ours(install: Callable[..., Path]) -> None:
    install("tickproof-mycodec", "mycodec", CODEC, "[tickproof.codecs]\njson = mycodec:Codec\n")
    with pytest.raises(TickproofError, match=r"'json' is offered twice, by harness\.backends\.codecs:JsonCodec and by"):
        registry()


def test_a_loop_of_a_plugin_is_the_factory_that_its_entry_point_names(install: Callable[..., Path]) -> None:
    text = "import asyncio\n\nclass Loop(asyncio.SelectorEventLoop):\n    pass\n"
    install("tickproof-myloop", "mycodec", text, "[tickproof.loops]\nmine = mycodec:Loop\n")
    loop = registry().loop("mine")()
    try:
        assert type(loop).__module__ == "mycodec" == registry().module_of("loop", "mine")
    finally:
        loop.close()


def test_the_shipped_codec_agrees_with_the_plugin(install: Callable[..., Path]) -> None:
    install("tickproof-mycodec", "mycodec", CODEC, ENTRY)
    document = {"s": "币安", "p": "0.10", "n": [1, 2.5, None]}
    assert json.loads(registry().codec("mine").dumps(document)) == document
