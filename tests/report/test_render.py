from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from harness.report.build import build
from harness.report.context import Number, Table
from harness.report.render import html
from harness.results.model import Result

Made = Callable[..., Result]

VOID = {"meta", "link", "br", "img", "hr", "input"}
SELF_CLOSED_SVG = {"path", "use", "circle", "rect", "line", "g", "svg", "defs", "clippath", "style"}


class Page(HTMLParser):
    """Checks that every element is closed in order, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def page_text(made: Made) -> str:
    return html(build(made()))


@pytest.fixture(scope="module")
def page(page_text: str) -> Page:
    return Page(page_text)


def test_every_element_is_closed_in_order_and_every_id_is_its_own(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_every_reference_inside_the_page_has_its_target(page: Page, page_text: str) -> None:
    targets = set(re.findall(r'(?:href="#|url\(#)([^")]+)', page_text))
    assert targets
    assert targets <= set(page.ids)


def test_the_page_loads_nothing_from_anywhere(page: Page, page_text: str) -> None:
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "data", "action", "srcset", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:"))
    assert "@import" not in page_text
    assert "url(http" not in page_text
    assert not re.search(r"<script|<iframe|<object|<link[^>]+stylesheet|\son[a-z]+=", page_text)


def test_table_heads_have_a_scope_and_tables_a_caption(page: Page) -> None:
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert all(attributes.get("scope") in {"col", "row"} for attributes in heads)
    names = [tag for tag, _ in page.tags]
    assert names.count("caption") == names.count("table") > 10


def test_there_is_one_first_heading_and_no_level_is_skipped(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_picture_says_in_words_what_it_shows(page: Page) -> None:
    pictures = [attributes for tag, attributes in page.tags if tag == "svg" and attributes.get("role") == "img"]
    assert len(pictures) == 4
    for attributes in pictures:
        named = str(attributes["aria-labelledby"]).split()
        assert set(named) <= set(page.ids)


def test_verdicts_are_told_by_word_and_by_shape(page_text: str) -> None:
    marks = re.findall(r'<span class="mark [a-z]+"><svg class="shape".*?</svg><span>([^<]+)</span>', page_text)
    assert {"supported", "refuted", "not tested", "improved", "equal"} <= set(marks)
    assert page_text.count('class="mark ') == len(marks)


def test_every_number_of_the_context_stands_in_the_page_with_its_interval(made: Made) -> None:
    report = build(made(blocks=3))
    text = html(report).replace("\u00a0", " ")
    for section in report.sections:
        for part in section.parts:
            if isinstance(part, Table):
                for item in (item for row in part.rows for item in row if isinstance(item, Number)):
                    shown = f'<span class="point">{item.text}</span> <span class="interval">{item.interval}</span>'
                    assert shown in text


def test_the_same_result_gives_the_same_bytes(made: Made, page_text: str) -> None:
    assert html(build(made())) == page_text


def test_the_page_of_a_full_run_is_small(made: Made) -> None:
    assert len(html(build(made(grid="full", blocks=3))).encode()) < 1_000_000


def test_hostile_names_are_harmless(hostile_result: Result, hostile: str) -> None:
    text = html(build(hostile_result))
    page = Page(text)
    assert page.open == []
    assert "<script" not in text
    assert "{{ 7 * 7 }}" in page.text
    assert "\u202e" not in text
    assert "\u0007" not in text
    assert hostile[:24] in page.text


def test_a_smoke_report_shows_no_speed_and_no_verdict(made: Made) -> None:
    text = html(build(made(profile="smoke")))
    page = Page(text)
    assert "Not a measurement: this run proves equal outputs only" in page.text
    assert 'class="number"' not in text
    assert not re.search(r"messages/s|µs|\d ms|[\d.]+x \[|supported|refuted|adopt|ceiling", page.text)
    assert "equal" in page.text
