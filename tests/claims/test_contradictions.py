from __future__ import annotations

import msgspec
import pytest

from harness.claims import catalogue
from harness.claims.contradictions import Contradiction, contradictions, show_range
from harness.claims.model import Catalogue, Claim, Range


def found(*names: str) -> Contradiction:
    return next(one for one in contradictions(catalogue.load()) if one.claims == names)


def with_expected(claim_id: str, expected: Range) -> Catalogue:
    shipped = catalogue.load()
    claims = [
        msgspec.structs.replace(claim, expected=expected) if claim.id == claim_id else claim for claim in shipped.claims
    ]
    return msgspec.structs.replace(shipped, claims=claims)


def test_ninety_five_to_ninety_seven_percent_is_not_thirty_to_sixty_times() -> None:
    one = found("db.reduction", "db.latency")
    assert (one.stated, one.implied) == ("30-60x", "95-97 % less is 20-33.3x")


def test_the_levels_of_a_sentence_imply_another_ratio() -> None:
    assert found("db.latency").implied == "30-60 ms to 1-3 ms is 10-60x"


def test_a_hit_rate_caps_what_the_load_can_fall_by() -> None:
    one = found("db.load", "db.hit")
    assert (one.stated, one.implied) == ("at least 95 %", "at most 87.3 %")


def test_a_bot_of_a_hundred_messages_cannot_follow_thousands() -> None:
    one = found("premise.rate", "ws.throughput")
    assert (one.stated, one.implied) == ("at least 1,000 messages/s", "at most 100 messages/s")


def test_the_figures_come_from_the_claims_and_not_from_the_program() -> None:
    repaired = with_expected("db.hit", Range(low=0.96, high=0.96))
    assert all(one.claims != ("db.load", "db.hit") for one in contradictions(repaired))
    other = with_expected("db.reduction", Range(low=0.5, high=0.75))
    assert any(one.implied == "50-75 % less is 2-4x" for one in contradictions(other))


def test_figures_that_agree_are_no_contradiction() -> None:
    assert all("ws.throughput" not in one.claims or len(one.claims) == 2 for one in contradictions(catalogue.load()))


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (Range(low=2.0, high=4.0), "ratio", "2-4x"),
        (Range(low=1.0), "ratio", "any gain"),
        (Range(low=0.95), "reduction", "at least 95 %"),
        (Range(low=0.873, high=0.873), "share", "87.3 %"),
        (Range(low=30.0, high=60.0, unit="ms"), "level", "30-60 ms"),
    ],
)
def test_a_range_is_written_as_its_claim_would(given: Range, kind: str, text: str) -> None:
    assert show_range(given, kind) == text


def test_claims_without_ranges_contradict_nothing() -> None:
    claim = Claim(id="a", section="s", sentence="s", kind="evidence", needs="n")
    assert contradictions(Catalogue(format=1, title="t", source="s", claims=[claim])) == []
