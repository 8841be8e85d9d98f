"""Claims of one report that cannot all be true, computed from their own figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.claims.evaluate import as_ratios
from harness.claims.model import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.claims.model import Catalogue, Claim, Relation, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two figures of the report that do not go together."""

    claims: tuple[str, ...]
    stated: str
    implied: str
    because: str


def contradictions(catalogue: Catalogue) -> list[Contradiction]:
    """What the arrows imply against what is stated beside them, then the relations of the file."""
    claims = {claim.id: claim for claim in catalogue.claims}
    found = [problem for claim in catalogue.claims for problem in _arrow(claim)]
    return found + [problem for relation in catalogue.relations for problem in _relation(relation, claims)]


def show_range(given: Range, kind: str) -> str:
    """The range as its claim would write it: `2-4x`, `95-97 %`, `30-60 ms`."""
    scale, unit, gap = {"ratio": (1.0, "x", ""), "reduction": (100.0, "%", " "), "share": (100.0, "%", " ")}.get(
        kind, (1.0, given.unit, " ")
    )
    if kind == "ratio" and given.low == 1 and given.high is None:
        return "any gain"
    low = f"{given.low * scale:.3g}" if given.low * scale < 1_000 else f"{given.low * scale:,.0f}"
    if given.high is None:
        return f"at least {low}{gap}{unit}"
    high = f"{given.high * scale:.3g}" if given.high * scale < 1_000 else f"{given.high * scale:,.0f}"
    return f"{low}{gap}{unit}" if low == high else f"{low}-{high}{gap}{unit}"


def _arrow(claim: Claim) -> Iterator[Contradiction]:
    """Before and after imply a ratio: lowest before over highest after, to highest before over lowest after."""
    if claim.before is None or claim.after is None or claim.expected is None or claim.kind == "level":
        return
    if claim.before.high is None or claim.after.high is None:
        return
    implied = _implied(claim.before, claim.after, claim)
    low, high = as_ratios(claim)
    if _same(implied.low, low) and high is not None and implied.high is not None and _same(implied.high, high):
        return
    yield Contradiction(
        claims=(claim.id,),
        stated=show_range(Range(low=low, high=high), "ratio"),
        implied=f"{show_range(claim.before, 'level')} to {show_range(claim.after, 'level')}"
        f" is {show_range(implied, 'ratio')}",
        because="the levels of the same sentence imply another ratio",
    )


def _implied(before: Range, after: Range, claim: Claim) -> Range:
    before_high, after_high = before.high or before.low, after.high or after.low
    if _more_is_better(claim):
        return Range(low=after.low / before_high, high=after_high / before.low)
    return Range(low=before.low / after_high, high=before_high / after.low)


def _more_is_better(claim: Claim) -> bool:
    """A level that rises to a higher one is an improvement; a report does not claim to make things worse."""
    return claim.before is not None and claim.after is not None and claim.after.low >= claim.before.low


def _relation(relation: Relation, claims: dict[str, Claim]) -> Iterator[Contradiction]:
    left, right = claims[relation.left.claim], claims[relation.right.claim]
    found = {"same": _not_same, "at most": _above}[relation.kind](relation, left, right)
    if found:
        yield Contradiction(claims=(left.id, right.id), stated=found[0], implied=found[1], because=relation.because)


def _not_same(_relation: Relation, left: Claim, right: Claim) -> tuple[str, str] | None:
    mine, theirs = Range(low=as_ratios(left)[0], high=as_ratios(left)[1]), as_ratios(right)
    if _same(mine.low, theirs[0]) and _same(mine.high or 0, theirs[1] or 0):
        return None
    other = Range(low=theirs[0], high=theirs[1])
    written = show_range(left.expected or mine, left.kind)
    return show_range(other, "ratio"), f"{written} less is {show_range(mine, 'ratio')}"


def _above(relation: Relation, left: Claim, right: Claim) -> tuple[str, str] | None:
    mine, theirs = _side(relation.left, left), _side(relation.right, right)
    if theirs.high is None or mine.low <= theirs.high:
        return None
    highest = Range(low=theirs.high, high=theirs.high, unit=theirs.unit)
    return show_range(mine, _kind(relation.left, left)), f"at most {show_range(highest, _kind(relation.right, right))}"


def _kind(side: Side, claim: Claim) -> str:
    return claim.kind if side.of == "expected" else "level"


def _side(side: Side, claim: Claim) -> Range:
    given: Range | None = getattr(claim, side.of)
    assert given is not None  # noqa: S101 - the catalogue has been checked for it
    return given


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 0.005 * max(one, other)
