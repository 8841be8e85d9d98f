from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

from harness.report import write
from harness.results.model import Result

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

Made = Callable[..., Result]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def reports(made: Made, hostile_result: Result, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    kinds: dict[str, Result] = {
        "quick": made(),
        "full": made(grid="full", blocks=3),
        "smoke": made(profile="smoke", blocks=2),
        "hostile": hostile_result,
    }
    return {name: write(result, tmp_path_factory.mktemp(name)) for name, result in kinds.items()}


def opened(browser: Browser, path: Path, width: int, scheme: Literal["light", "dark"]) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else trouble.append(request.url)
    )
    page.goto(path.as_uri())
    return page, trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["quick", "full", "smoke", "hostile"])
def test_the_page_opens_without_error_or_request_and_does_not_scroll_sideways(
    browser: Browser, reports: dict[str, Path], name: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page, trouble = opened(browser, reports[name], width, scheme)
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_colours_follow_the_reader_and_text_keeps_its_contrast(browser: Browser, reports: dict[str, Path]) -> None:
    grounds = []
    schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for scheme in schemes:
        page, _ = opened(browser, reports["quick"], 1280, scheme)
        for selector in ("body", ".interval", ".absent", "figcaption", "figure text"):
            found: Any = page.evaluate(_CONTRAST, selector)
            assert found >= 4.5, f"{selector} in {scheme}: {found:.2f}"
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert grounds[0] != grounds[1]


def test_a_telephone_gets_the_narrow_pictures_and_a_desk_the_wide_ones(
    browser: Browser, reports: dict[str, Path]
) -> None:
    for width, shown, hidden in ((1280, ".wide", ".narrow"), (390, ".narrow", ".wide")):
        page, _ = opened(browser, reports["quick"], width, "light")
        assert page.locator(f"figure {shown}").first.is_visible()
        assert not page.locator(f"figure {hidden}").first.is_visible()
        page.close()


def test_wide_tables_can_be_scrolled_from_the_keyboard(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["quick"], 390, "light")
    region = page.locator(".scroll").first
    region.focus()
    assert region.evaluate("element => document.activeElement === element")
    assert region.evaluate("element => element.scrollWidth > element.clientWidth")
    page.close()


def test_it_prints(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["quick"], 1280, "dark")
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()


#: WCAG 2: relative luminance and contrast of an element's text on the page.
_CONTRAST = """selector => {
  const element = document.querySelector(selector);
  const style = getComputedStyle(element);
  const isSvg = element.namespaceURI.endsWith('svg');
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => {
      part /= 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const pair = [isSvg ? style.fill : style.color, getComputedStyle(document.body).backgroundColor].map(light);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
