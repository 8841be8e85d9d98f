from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import config
from harness.config import MAX_CONFIG_BYTES, data_files, data_root, parse_toml, read_toml
from harness.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    blocks: int
    seconds: float = 1.0


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"low": "from"}):
    low: float
    kind: Literal["ratio", "level"] = "ratio"


class Circle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="form", tag="circle"):
    radius: int


class Square(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="form", tag="square"):
    side: int
    inside: Profile | None = None


class Drawing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    figures: tuple[Circle | Square, ...] = ()


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    stacks: list[str] = []
    profiles: dict[str, Profile] = {}
    claims: list[Claim] = []
    main: Profile | None = None


def error_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, Shape, source="made.toml")
    assert caught.value.exit_code is ExitCode.BAD_INPUT
    assert str(caught.value).startswith("made.toml: ")
    return caught.value


def test_a_whole_file_becomes_a_record() -> None:
    text = (
        'name = "n"\nstacks = ["a"]\nprofiles.quick = { blocks = 6, seconds = 2 }\n'
        "[[claims]]\nfrom = 2\n[main]\nblocks = 1\n"
    )
    assert parse_toml(text, Shape, source="made.toml") == Shape(
        name="n",
        stacks=["a"],
        profiles={"quick": Profile(blocks=6, seconds=2.0)},
        claims=[Claim(low=2.0)],
        main=Profile(blocks=1),
    )


@pytest.mark.parametrize(
    ("text", "key", "unknown", "allowed"),
    [
        ('name = "n"\nstack = []', "", "stack", "name, stacks, profiles, claims, main"),
        ('name = "n"\n[profiles.quick]\nblocks = 1\nblock = 2', "profiles[...]", "block", "blocks, seconds"),
        ('name = "n"\n[[claims]]\nfrom = 1\nlow = 2', "claims[0]", "low", "from, kind"),
        ('name = "n"\n[[claims]]\nfrom = 1\n[[claims]]\nfrom = 1\nto = 2', "claims[1]", "to", "from, kind"),
        ('name = "n"\n[main]\nblocks = 1\nx = 2', "main", "x", "blocks, seconds"),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_the_keys_there_are(
    text: str, key: str, unknown: str, allowed: str
) -> None:
    error = error_of(text)
    assert error.key == key
    assert error.problem == f"unknown key {unknown!r}; allowed: {allowed}"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("name = 1", "name", "Expected `str`, got `int`"),
        ('name = "n"\nstacks = ["a", 1]', "stacks[1]", "Expected `str`, got `int`"),
        ('name = "n"\n[main]\nblocks = "6"', "main.blocks", "Expected `int`, got `str`"),
        ('name = "n"\n[main]\nblocks = 1.5', "main.blocks", "Expected `int`, got `float`"),
        ('name = "n"\n[main]\nblocks = true', "main.blocks", "Expected `int`, got `bool`"),
        ("stacks = []", "", "Object missing required field `name`"),
        ('name = "n"\n[[claims]]\nfrom = 1\nkind = "sum"', "claims[0].kind", "Invalid enum value 'sum'"),
        ('name = "n"\n[profiles]\nquick = 6', "profiles[...]", "Expected `object`, got `int`"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(text: str, key: str, problem: str) -> None:
    error = error_of(text)
    assert (error.key, error.problem) == (key, problem)


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('[[figures]]\nform = "circle"\nradius = 1\n[[figures]]\nform = "star"', "figures[1].form",
         "unknown form 'star'; known: circle, square"),
        ('[[figures]]\nform = "circle"\nside = 1\nradius = 1', "figures[0]", "unknown key 'side'; allowed: radius"),
        ('[[figures]]\nform = "square"\nradius = 1\nside = 1', "figures[0]",
         "unknown key 'radius'; allowed: side, inside"),
        ('[[figures]]\nform = "square"\nside = 1\ninside = { block = 1, blocks = 1 }', "figures[0].inside",
         "unknown key 'block'; allowed: blocks, seconds"),
        ("[[figures]]\nradius = 1", "figures[0]", "Object missing required field `form`"),
    ],
)  # fmt: skip
def test_what_a_table_says_it_is_decides_what_is_allowed_in_it(text: str, key: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, Drawing, source="made.toml")
    assert (caught.value.key, caught.value.problem) == (key, problem)


@pytest.mark.parametrize("text", ["name", "name = ", "[a\n", 'name = "n"\nname = "m"', "name = 'a\n'", "\x00"])
def test_what_is_no_toml_is_said_with_the_line(text: str) -> None:
    error = error_of(text)
    assert error.key == ""
    assert error.problem.startswith("not TOML: ")
    assert "line" in error.problem or "end of document" in error.problem or "overwrite" in error.problem


@given(st.text(max_size=80))
def test_any_text_is_a_record_or_a_config_error(text: str) -> None:
    try:
        parse_toml(text, Shape, source="made.toml")
    except ConfigError:
        return


def test_a_file_is_read_as_its_text_is(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('name = "Ünï 币"\n', encoding="utf-8")
    assert read_toml(path, Shape) == Shape(name="Ünï 币")


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("name = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_toml(path, Shape)
    assert str(caught.value) == f"{path}: name: Expected `str`, got `int`"


def test_a_missing_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: no such file$"):
        read_toml(tmp_path / "nothing.toml", Shape)


def test_a_folder_and_a_file_of_another_encoding_cannot_be_read(tmp_path: Path) -> None:
    other = tmp_path / "latin.toml"
    other.write_bytes(b'name = "\xfc"')
    for path in (tmp_path, other):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_toml(path, Shape)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(50 * 1024**3)  # a hole: it takes no room on the disk, but would in memory
    with pytest.raises(ConfigError, match=r"larger than 1,000,000 bytes; this is no configuration file"):
        read_toml(path, Shape)
    path.write_text('name = "n"'.ljust(MAX_CONFIG_BYTES), encoding="utf-8")
    assert read_toml(path, Shape).name == "n"


def test_the_shipped_data_is_found_beside_the_package_or_in_the_checkout() -> None:
    assert (data_root() / "claims").is_dir()
    assert data_root().name in {"_scenarios", "scenarios"}


def test_an_installed_package_prefers_what_it_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "harness"
    monkeypatch.setattr(config, "_PACKAGE", package)
    with pytest.raises(ConfigError, match="the shipped scenarios are missing; reinstall tickproof"):
        data_root()
    (tmp_path / "scenarios").mkdir()
    assert data_root() == tmp_path / "scenarios"
    (package / "_scenarios").mkdir(parents=True)
    assert data_root() == package / "_scenarios"


def test_shipped_files_come_sorted_by_name_and_by_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "scenarios" / "claims"
    folder.mkdir(parents=True)
    for name in ("b.toml", "a.toml", "c.txt"):
        (folder / name).touch()
    monkeypatch.setattr(config, "_PACKAGE", tmp_path / "harness")
    assert [path.name for path in data_files("claims", "*.toml")] == ["a.toml", "b.toml"]
    assert list(data_files("nothing", "*")) == []


def test_every_shipped_toml_file_is_toml_and_small() -> None:
    paths = list(data_root().rglob("*.toml"))
    assert paths
    for path in paths:
        assert read_toml(path, dict[str, object])
