"""A report's sentences as data: what is claimed, and how it is measured."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Format history of a claims file
#: 1 - first
FORMAT = 1

Kind = Literal["ratio", "reduction", "level", "share", "equality", "evidence"]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a claims file; an unknown key is an error."""


class Range(Record, frozen=True, kw_only=True):
    """What is claimed of a number; without `high`, "at least"."""

    low: float
    high: float | None = None
    unit: str = ""


class Measure(Record, frozen=True, kw_only=True):
    """Where the numbers of a claim come from: a metric of two arms of one scenario, cell by cell.

    `labels` must hold on both sides, and `arm_labels` and `reference_labels` on one side each; a label that is named
    on neither side must be equal on both. Without `reference` it is a level of one arm.
    """

    scenario: str
    metric: str
    arm: str
    reference: str = ""
    labels: dict[str, str] = {}
    arm_labels: dict[str, str] = {}
    reference_labels: dict[str, str] = {}
    excluding: dict[str, str] = {}
    """Cells with one of these labels are left out."""


class Claim(Record, frozen=True, kw_only=True):
    """A sentence of a report."""

    id: str
    section: str
    """Where it stands in the report."""
    sentence: str
    """As written."""
    kind: Kind
    """What `expected` is: a ratio (2 is "2x"), a reduction (0.95 is "95 % less"), a level in its unit, a share (0.87 is
    "87 %"); or that outputs are equal; or something that no number shows."""
    expected: Range | None = None
    before: Range | None = None
    """The level that the claim starts from: descriptive, it carries no verdict."""
    after: Range | None = None
    measures: list[Measure] = []
    """Empty: no scenario of this version measures it."""
    main: dict[str, str] = {}
    """Labels of the cell that stands for the claim where one number is shown."""
    condition: str = ""
    """Under which the measurement was made, or that it leaves out."""
    needs: str = ""
    """What would measure a claim that has no measures yet."""
    note: str = ""


class Side(Record, frozen=True, kw_only=True):
    """One range of one claim."""

    claim: str
    of: Literal["expected", "before", "after"] = "expected"


class Relation(Record, frozen=True, kw_only=True):
    """What must hold between two ranges if both are true."""

    kind: Literal["same", "at most"]
    """`same`: two names of one ratio. `at most`: no value of left can lie above right's highest."""
    left: Side
    right: Side
    because: str


class Catalogue(Record, frozen=True, kw_only=True):
    """A claims file."""

    format: int
    title: str
    source: str
    claims: list[Claim]
    relations: list[Relation] = []
