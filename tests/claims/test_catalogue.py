from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.claims import catalogue
from harness.errors import ConfigError, UnknownName

_ROOT = Path(__file__).parents[2]

HEAD = 'format = 1\ntitle = "t"\nsource = "s"\n'
CLAIM = """
[[claims]]
id = "a"
section = "s"
sentence = "twice as fast"
kind = "ratio"
expected = { low = 2.0 }
measures = [{ scenario = "ws-flood", metric = "messages_per_second", arm = "x", reference = "y" }]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "claims.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_the_shipped_claims_hold_together() -> None:
    shipped = catalogue.load()
    assert len({claim.id for claim in shipped.claims}) == len(shipped.claims)
    assert catalogue.names() == [catalogue.DEFAULT]


@pytest.mark.shared
def test_every_claim_of_the_list_beside_the_checkout_is_there() -> None:
    listed = _ROOT.parent / "shared" / "CLAIMS.md"
    if not listed.exists():
        pytest.skip(f"{listed} is not there")
    rows = re.findall(r"^\| ([a-z0-9., ]+) \|", listed.read_text(encoding="utf-8"), flags=re.MULTILINE)
    wanted = {name.strip() for row in rows for name in row.split(",") if "." in name}
    assert wanted <= {claim.id for claim in catalogue.load().claims}


def test_anybodys_claims_file_is_read_by_path(tmp_path: Path) -> None:
    path = write(tmp_path, CLAIM)
    assert catalogue.find(str(path)) == catalogue.read(path)
    assert catalogue.find("seed-v1") == catalogue.load()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="unknown claims file 'seed-v9'; known: seed-v1"):
        catalogue.find("seed-v9")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "format: 2 is not known; this tickproof reads 1"),
        ("messages_per_second", "speed", r"claims\.a\.measures\.1\.metric: 'speed' is not known; known: cpu_"),
        (', reference = "y"', "", r"claims\.a\.measures\.1\.reference"),
        ("expected = { low = 2.0 }", "", r"claims\.a\.expected: a ratio that is measured needs one"),
        ("low = 2.0", "low = 0.0", r"claims\.a\.expected\.low: must be above 0"),
        ("low = 2.0", "low = 2.0, high = 1.0", r"claims\.a\.expected\.high: 1 is below low, 2"),
        ('kind = "ratio"', 'kind = "reduction"', "a reduction lies between 0 and 1"),
        ('kind = "ratio"', 'kind = "speed"', r"claims.*kind.*speed"),
        ('kind = "ratio"', 'kind = "evidence"', "a claim of kind 'evidence' is not measured"),
        ('section = "s"', 'section = "s"\nsentense = "typo"', "unknown key 'sentense'; allowed: id, section, sentence"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path, CLAIM)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        catalogue.read(path)
    assert str(path) in str(caught.value)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"claims\.a: this id stands twice"):
        catalogue.read(write(tmp_path, CLAIM + CLAIM))


def test_a_claim_that_nothing_measures_must_say_what_would(tmp_path: Path) -> None:
    text = re.sub(r"measures = .*", "", CLAIM)
    with pytest.raises(ConfigError, match=r"claims\.a\.needs"):
        catalogue.read(write(tmp_path, text))


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ('{ claim = "b" }', "'b' is no claim of this file"),
        ('{ claim = "a", of = "before" }', "claim 'a' has no before"),
    ],
)
def test_a_relation_to_nothing_is_refused(tmp_path: Path, right: str, message: str) -> None:
    relation = f'[[relations]]\nkind = "same"\nleft = {{ claim = "a" }}\nright = {right}\nbecause = "b"\n'
    with pytest.raises(ConfigError, match=message):
        catalogue.read(write(tmp_path, CLAIM + relation))
