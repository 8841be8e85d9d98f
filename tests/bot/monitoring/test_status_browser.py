from __future__ import annotations

import asyncio
import shutil
import threading
from typing import TYPE_CHECKING, Any, Literal

import pytest

from harness.bot.status.page import StatusPage
from harness.bot.status.snapshot import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from harness.bot.status.snapshot import Snapshot


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
def urls(snapshot_of: Callable[..., Snapshot], hostile: Snapshot) -> Iterator[dict[str, str]]:
    """A page each for bots in different states."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    bots = {
        "busy": snapshot_of(),
        "new": snapshot_of(positions=(), queues={}, cache=None, database=None, errors=(), refusals={}),
        "outage": snapshot_of(state=State.OUTAGE, reason="PostgreSQL does not answer since 16:40:01"),
        "hostile": hostile,
    }
    pages = {name: StatusPage(lambda bot=bot: bot, loop) for name, bot in bots.items()}  # type: ignore[misc]
    yield {name: page.url for name, page in pages.items()}
    for page in pages.values():
        page.close()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def opened(browser: Browser, url: str, width: int, scheme: Literal["light", "dark"]) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on("request", lambda request: None if request.url in {url, "data:,"} else trouble.append(request.url))
    page.goto(url)
    return page, trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["busy", "new", "outage", "hostile"])
def test_the_page_opens_without_error_or_request_and_does_not_scroll_sideways(
    browser: Browser, urls: dict[str, str], name: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page, trouble = opened(browser, urls[name], width, scheme)
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('.figures')).display") == "grid", (
        "the style is let in"
    )
    page.close()


def test_the_colours_follow_the_reader_and_text_keeps_its_contrast(browser: Browser, urls: dict[str, str]) -> None:
    grounds = []
    schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for scheme in schemes:
        page, _ = opened(browser, urls["outage"], 1280, scheme)
        for selector in ("body", ".maker", ".reason", ".asof", "dt", "thead th", ".nothing", "footer a"):
            found: Any = page.evaluate(_CONTRAST, selector)
            assert found >= 4.5, f"{selector} in {scheme}: {found:.2f}"
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert grounds[0] != grounds[1]


def test_wide_tables_can_be_scrolled_from_the_keyboard(browser: Browser, urls: dict[str, str]) -> None:
    page, _ = opened(browser, urls["busy"], 390, "light")
    region = page.locator(".scroll").first
    region.focus()
    assert region.evaluate("element => document.activeElement === element")
    assert region.evaluate("element => element.scrollWidth > element.clientWidth")
    page.close()


def test_a_script_in_the_page_would_not_run(browser: Browser, urls: dict[str, str]) -> None:
    page, trouble = opened(browser, urls["busy"], 1280, "light")
    page.evaluate(
        "() => { const bad = document.createElement('script'); bad.textContent = 'window.ran = true';"
        " document.body.append(bad); }"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in told for told in trouble)
    page.close()


#: WCAG 2: relative luminance and contrast of an element's text on the page.
_CONTRAST = """selector => {
  const style = getComputedStyle(document.querySelector(selector));
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => {
      part /= 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const pair = [style.color, getComputedStyle(document.body).backgroundColor].map(light);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
