"""The page in a real browser, of real replays."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Literal

import pytest
from websockets.sync.client import connect

from harness.replay.pacing import Pace
from harness.replay.side.showing import About

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.replay.side.conftest import Door

SCRIPT = "<script>alert(1)</script>"
LONG = "W" * 290


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


@pytest.fixture
def hostile(open_door: Callable[..., Door]) -> Door:
    """A replay whose every name means harm, or is too long."""
    about = About(
        recording=f"{SCRIPT}{LONG}",
        title=f"{SCRIPT}{LONG}",
        market="spot",
        source="generated",
        sha256="f" * 64,
        pace=LONG,
        loops=True,
        streams=(SCRIPT, LONG, *(f"symbol{number}@trade" for number in range(200))),
        account=True,
        faults=({"kind": SCRIPT, "frame": 1, "how": LONG},),
    )
    return open_door(about=about, hold=True)


def opened(
    browser: Browser, url: str, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on(
        "request",
        lambda request: None if request.url.startswith((url, "data:,")) else trouble.append(request.url),
    )
    page.goto(f"{url}?still=1")
    return page, trouble


def address(door: Door) -> str:
    return f"{str(door.http.base_url).rstrip('/')}/tickproof"


def test_the_page_opens_without_error_or_request_and_does_not_scroll_sideways(browser: Browser, hostile: Door) -> None:
    path = f"/stream?streams={SCRIPT}{'x' * 150}@trade"
    with connect(f"{hostile.url}{path}", proxy=None, compression=None):
        hostile.wait(lambda state: state["connections"] == 1)
        schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
        for width in (1280, 390):
            for scheme in schemes:
                page, trouble = opened(browser, address(hostile), width, scheme)
                assert trouble == []
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate("getComputedStyle(document.querySelector('.figures')).display") == "grid"
                assert page.locator("script").count() == 0
                assert SCRIPT in page.locator("tbody").first.inner_text(), "the path is text"
                page.close()


def test_colours_follow_the_reader_and_text_keeps_its_contrast(browser: Browser, hostile: Door) -> None:
    grounds = []
    schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for scheme in schemes:
        page, _ = opened(browser, address(hostile), 1280, scheme)
        for selector in (
            "body",
            ".maker",
            ".asof",
            "dt",
            "thead th",
            ".nothing",
            "footer a",
            "button",
            ".controls label",
        ):
            found: Any = page.evaluate(_CONTRAST, selector)
            assert found >= 4.5, f"{selector} in {scheme}: {found:.2f}"
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert grounds[0] != grounds[1]


def test_the_buttons_move_the_replay(browser: Browser, open_door: Callable[..., Door]) -> None:
    door = open_door(pace=Pace(speed=1.0), hold=True)
    page, trouble = opened(browser, address(door))
    assert page.locator("h1").inner_text() == "Held until it is told to start"
    page.get_by_label("until frame").fill("20")
    page.get_by_role("button", name="Start").click()
    assert page.url == address(door)
    door.wait(lambda state: state["state"] == "paused" and state["market_frame"] == 20)
    page.goto(f"{address(door)}?still=1")
    page.get_by_label("to frame").fill("5")
    page.get_by_role("button", name="Seek").first.click()
    door.wait(lambda state: state["market_frame"] == 4)
    page.goto(f"{address(door)}?still=1")
    page.get_by_label("to second").fill("0.0505")
    page.get_by_role("button", name="Seek").last.click()
    door.wait(lambda state: state["market_frame"] == 51)
    page.get_by_role("button", name="Pause").click()
    door.wait(lambda state: state["state"] == "paused")
    assert trouble == []
    page.close()


#: WCAG 2: relative luminance and contrast of an element's text on what is behind it.
_CONTRAST = """selector => {
  const first = document.querySelector(selector);
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => {
      part /= 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  let behind = first;
  while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
  const pair = [getComputedStyle(first).color, getComputedStyle(behind).backgroundColor].map(light);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
