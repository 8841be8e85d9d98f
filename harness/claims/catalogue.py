"""Claims files: the shipped ones by name, anybody's by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.claims.model import FORMAT, Catalogue, Claim, Measure, Range, Relation
from harness.config import data_files, read_toml
from harness.errors import ConfigError, UnknownName
from harness.results.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT = "seed-v1"

_MEASURED_KINDS = ("ratio", "reduction", "level")


def names() -> list[str]:
    """The names of the shipped claims files."""
    return [path.stem for path in data_files("claims", "*.toml")]


def load(name: str = DEFAULT) -> Catalogue:
    """A shipped claims file; raises UnknownName, or ConfigError when its content does not hold together."""
    for path in data_files("claims", "*.toml"):
        if path.stem == name:
            return read(path)
    raise UnknownName("claims file", name, names())


def read(path: Path) -> Catalogue:
    """Anybody's claims file; raises ConfigError that names the claim, the key and what is allowed."""
    catalogue = read_toml(path, Catalogue)
    for key, problem in _problems(catalogue):
        raise ConfigError(path, key, problem)
    return catalogue


def find(name_or_file: str) -> Catalogue:
    """By path if there is such a file (or it ends in .toml), else by the name of a shipped one."""
    path = Path(name_or_file)
    return read(path) if path.suffix == ".toml" or path.is_file() else load(name_or_file)


def _problems(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if catalogue.format != FORMAT:
        yield "format", f"{catalogue.format} is not known; this tickproof reads {FORMAT}"
    seen: set[str] = set()
    for claim in catalogue.claims:
        place = f"claims.{claim.id}"
        if claim.id in seen:
            yield place, "this id stands twice; every claim wants one of its own"
        seen.add(claim.id)
        yield from _problems_of_claim(place, claim)
    for number, relation in enumerate(catalogue.relations, start=1):
        yield from _problems_of_relation(f"relations.{number}", relation, catalogue)


def _problems_of_claim(place: str, claim: Claim) -> Iterator[tuple[str, str]]:
    if claim.kind in _MEASURED_KINDS and claim.measures and claim.expected is None:
        yield f"{place}.expected", f"a {claim.kind} that is measured needs one, for example {{ low = 2.0, high = 4.0 }}"
    for name, given in (("expected", claim.expected), ("before", claim.before), ("after", claim.after)):
        if given is not None:
            yield from _problems_of_range(f"{place}.{name}", given)
    if claim.kind == "reduction" and claim.expected and not 0 < claim.expected.low < 1:
        yield f"{place}.expected", "a reduction lies between 0 and 1: 0.95 is 95 % less"
    if claim.kind == "reduction" and claim.expected and (claim.expected.high or 0) >= 1:
        yield f"{place}.expected.high", "a reduction lies between 0 and 1: 0.95 is 95 % less"
    if not claim.measures and claim.kind != "equality" and not claim.needs:
        yield f"{place}.needs", "a claim without measures says what would measure it"
    for number, measure in enumerate(claim.measures, start=1):
        yield from _problems_of_measure(f"{place}.measures.{number}", claim, measure)


def _problems_of_range(place: str, given: Range) -> Iterator[tuple[str, str]]:
    if given.low <= 0:
        yield f"{place}.low", "must be above 0"
    if given.high is not None and given.high < given.low:
        yield f"{place}.high", f"{given.high:g} is below low, {given.low:g}"


def _problems_of_measure(place: str, claim: Claim, measure: Measure) -> Iterator[tuple[str, str]]:
    if claim.kind not in _MEASURED_KINDS:
        yield place, f"a claim of kind {claim.kind!r} is not measured; allowed kinds: {', '.join(_MEASURED_KINDS)}"
    if measure.metric not in METRICS:
        yield f"{place}.metric", f"{measure.metric!r} is not known; known: {', '.join(sorted(METRICS))}"
    if claim.kind in {"ratio", "reduction"} and not measure.reference:
        yield f"{place}.reference", f"a {claim.kind} compares the arm with another"


def _problems_of_relation(place: str, relation: Relation, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    claims = {claim.id: claim for claim in catalogue.claims}
    for side, name in ((relation.left, "left"), (relation.right, "right")):
        claim = claims.get(side.claim)
        if claim is None:
            yield f"{place}.{name}.claim", f"{side.claim!r} is no claim of this file"
        elif getattr(claim, side.of) is None:
            yield f"{place}.{name}.of", f"claim {side.claim!r} has no {side.of}"
