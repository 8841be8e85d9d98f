from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.bot.status import page as status_page
from harness.bot.status.page import MOST_CLIENTS, MOST_HEAD, StatusPage
from harness.bot.status.snapshot import Snapshot, State
from harness.errors import ConfigError, PortTaken

Make = Callable[..., Snapshot]
Get = Callable[..., httpx.Response]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - to be refused


@pytest.fixture
def bots_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in a thread, as that of a trading bot runs beside the page."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Figures:
    """What the bot tells; a test may change it, and sees how often and where it was asked."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.error: Exception | None = None
        self.asked_in: list[int] = []

    def take(self) -> Snapshot:
        self.asked_in.append(threading.get_ident())
        if self.error is not None:
            raise self.error
        return self.snapshot


@pytest.fixture
def figures(snapshot_of: Make) -> Figures:
    return Figures(snapshot_of())


@pytest.fixture
def page(
    figures: Figures, bots_loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StatusPage]:
    monkeypatch.setattr(status_page, "FRESH_S", 0.0)
    monkeypatch.setattr(status_page, "CLIENT_S", 60.0)
    with StatusPage(figures.take, bots_loop) as served:
        yield served


@pytest.fixture
def get(page: StatusPage) -> Iterator[Get]:
    """A real HTTP client; paths are of the page."""
    with httpx.Client(base_url=page.url, trust_env=False, timeout=20.0) as client:

        def ask(path: str = "/", method: str = "GET", **headers: str) -> httpx.Response:
            return client.request(method, path, headers=headers)

        yield ask


def spoken(page: StatusPage, sent: bytes) -> bytes:
    """All that the server answers to these bytes."""
    with socket.create_connection((page.host, page.port), timeout=20) as sock:
        sock.sendall(sent)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


def test_the_page_is_html_that_may_load_nothing_and_is_kept_by_nobody(get: Get) -> None:
    answer = get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Trading on paper" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_metrics_are_read_back_by_prometheus_own_parser(get: Get) -> None:
    answer = get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["tickproof_bot_frames"].samples[0].value == 12_345_678


def test_hostile_names_reach_neither_metrics_nor_page_as_more_than_names(
    get: Get, figures: Figures, hostile: Snapshot
) -> None:
    figures.snapshot = hostile
    names = {family.name for family in text_string_to_metric_families(get("/metrics").text)}
    assert "forged" not in names
    assert "<script" not in get("/").text
    assert get("/healthz").text.count("\n") == 1


def test_health_is_200_while_trading(get: Get) -> None:
    answer = get("/healthz")
    assert (answer.status_code, answer.text) == (200, "trading\n")


@pytest.mark.parametrize("state", [state for state in State if state is not State.TRADING])
def test_health_is_503_with_the_reason_in_every_other_state(
    get: Get, figures: Figures, snapshot_of: Make, state: State
) -> None:
    assert get("/healthz").status_code == 200
    figures.snapshot = snapshot_of(state=state, reason="the journal is full")
    answer = get("/healthz")
    assert (answer.status_code, answer.text) == (503, f"{state.value}: the journal is full\n")
    assert get("/").status_code == get("/metrics").status_code == 200


def test_head_answers_as_get_does_without_the_body(page: StatusPage, get: Get) -> None:
    assert get("/healthz", "HEAD").headers["content-length"] == "8"
    answer = spoken(page, b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_no_other_method_is_answered(get: Get, method: str) -> None:
    answer = get("/", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_an_unknown_path_says_which_there_are(get: Get) -> None:
    answer = get("/../etc/passwd")
    assert answer.status_code == 404
    assert answer.text == "there are /, /metrics, /healthz\n"


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz"])
def test_a_foreign_host_name_is_refused_everywhere(get: Get, path: str, figures: Figures) -> None:
    assert get(path, host="evil.example").status_code == 421
    assert figures.asked_in == []
    assert get(path, host="localhost:1").status_code == 200


def test_the_snapshot_is_taken_on_the_bots_own_loop(
    get: Get, figures: Figures, bots_loop: asyncio.AbstractEventLoop
) -> None:
    get("/healthz")
    thread = asyncio.run_coroutine_threadsafe(_ident(), bots_loop).result()
    assert figures.asked_in == [thread]


async def _ident() -> int:
    return threading.get_ident()


def test_however_many_ask_the_bot_is_asked_once_while_a_snapshot_is_fresh(
    get: Get, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "FRESH_S", 3_600.0)
    bodies = [get(path).content for path in ("/", "/metrics", "/healthz") for _ in range(5)]
    assert len(figures.asked_in) == 1
    assert len(set(bodies)) == 3


def test_a_loop_that_does_not_answer_is_told_and_asked_once(
    get: Get, figures: Figures, bots_loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "PATIENCE_S", 0.05)
    freed = threading.Event()
    bots_loop.call_soon_threadsafe(freed.wait)
    try:
        for path in ("/healthz", "/", "/metrics", "/healthz"):
            answer = get(path)
            assert answer.status_code == 503
            assert answer.text == "the trading loop did not answer within 0.05 s\n"
    finally:
        freed.set()
    monkeypatch.setattr(status_page, "PATIENCE_S", 20.0)
    assert get("/healthz").status_code == 200
    assert len(figures.asked_in) <= 2


def test_a_bot_that_has_ended_is_told(get: Get, bots_loop: asyncio.AbstractEventLoop) -> None:
    assert get("/healthz").status_code == 200
    bots_loop.call_soon_threadsafe(bots_loop.stop)
    while bots_loop.is_running():
        time.sleep(0.001)
    bots_loop.close()
    answer = get("/healthz")
    assert (answer.status_code, answer.text) == (503, "the bot has stopped\n")


def test_figures_that_cannot_be_read_are_told_without_details_and_logged_once(
    get: Get, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    figures.error = LookupError("a secret detail")
    for _ in range(3):
        answer = get("/")
        assert answer.status_code == 503
        assert answer.text == "the bot's figures could not be read: LookupError\n"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    figures.error = None
    assert get("/").status_code == 200


def test_a_page_that_cannot_be_made_is_an_error_500_and_the_next_is_well(
    get: Get, figures: Figures, snapshot_of: Make, caplog: pytest.LogCaptureFixture
) -> None:
    figures.snapshot = snapshot_of(state="not a state")
    answer = get("/")
    assert answer.status_code == 500
    assert "the log says why" in answer.text
    assert len(caplog.records) == 1
    figures.snapshot = snapshot_of()
    assert get("/").status_code == 200


def test_a_head_that_is_too_long_is_refused(page: StatusPage) -> None:
    answer = spoken(page, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 2_000 * MOST_HEAD + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("sent", [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_request_is_refused(page: StatusPage, sent: bytes) -> None:
    assert spoken(page, sent).startswith(b"HTTP/1.1 400 ")


def test_a_second_request_on_the_same_connection_is_not_answered(page: StatusPage) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = spoken(page, ask + ask)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


def test_a_client_that_has_said_all_and_reads_slowly_gets_all(
    page: StatusPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = b"x" * 20_000_000  # more than any buffer between the two holds

    async def answer(*_arguments: object) -> status_page._Answer:
        return status_page._Answer(status=HTTPStatus.OK, body=large)

    monkeypatch.setattr(status_page._Pages, "answer", answer)
    with socket.create_connection((page.host, page.port), timeout=20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        told = b"".join(iter(lambda: sock.recv(1_000_000), b""))
    assert len(told.partition(b"\r\n\r\n")[2]) == len(large)


def test_slow_clients_however_many_hold_nobody_up(page: StatusPage, get: Get) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((page.host, page.port))) for _ in range(3 * MOST_CLIENTS)]
        for sock in slow:
            with contextlib.suppress(OSError):  # those that came first had to go
                sock.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert get("/healthz").status_code == 200
        assert len(page._clients) <= MOST_CLIENTS
        slow[0].settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert slow[0].recv(1) == b""


def test_a_client_that_never_finishes_is_dropped(page: StatusPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_page, "CLIENT_S", 0.05)
    assert spoken(page, b"GET / HTTP/1.1\r\n") == b""


def test_a_client_that_never_closes_is_dropped(page: StatusPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_page, "CLIENT_S", 0.2)
    with socket.create_connection((page.host, page.port), timeout=20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"".join(iter(lambda: sock.recv(65_536), b"")).endswith(b"</html>")
        given_up = time.monotonic() + 20
        while page._clients and time.monotonic() < given_up:
            time.sleep(0.001)
        assert not page._clients


def test_closing_drops_clients_and_frees_the_port(figures: Figures, bots_loop: asyncio.AbstractEventLoop) -> None:
    page = StatusPage(figures.take, bots_loop)
    with contextlib.ExitStack() as stack:
        # Some are attended to, some were only just accepted, and some are not yet when it closes.
        held = [stack.enter_context(socket.create_connection((page.host, page.port), timeout=20)) for _ in range(20)]
        page.close()
        page.close()
        for sock in held:
            with contextlib.suppress(ConnectionError):
                assert sock.recv(1) == b""
    with StatusPage(figures.take, bots_loop, port=page.port) as again:
        assert again.port == page.port


def test_a_port_that_is_taken_is_said_at_once(page: StatusPage, bots_loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(PortTaken, match=str(page.port)):
        StatusPage(Figures.take, bots_loop, port=page.port)  # type: ignore[arg-type] # never called


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.5", "example.org", "", "127.0.0.1.evil.example"])
def test_only_loopback_may_be_listened_on(host: str, bots_loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(ConfigError, match=r"use 127\.0\.0\.1 or ::1"):
        StatusPage(Figures.take, bots_loop, host=host)  # type: ignore[arg-type] # never called


def test_a_port_that_no_address_has_is_refused(bots_loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(ConfigError, match="between 0 and 65535"):
        StatusPage(Figures.take, bots_loop, port=70_000)  # type: ignore[arg-type] # never called


def test_ipv6_loopback_is_served_too(figures: Figures, bots_loop: asyncio.AbstractEventLoop) -> None:
    try:
        page = StatusPage(figures.take, bots_loop, host="::1")
    except ConfigError:
        pytest.skip("this machine has no IPv6 loopback")
    with page:
        assert page.url == f"http://[::1]:{page.port}/"
        assert httpx.get(f"{page.url}healthz", trust_env=False).status_code == 200
