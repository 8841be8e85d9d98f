from __future__ import annotations

import contextlib
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.status.http_request import Request, Unacceptable, parse

NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def head(line: str = "GET / HTTP/1.1", *fields: str) -> bytes:
    return "\r\n".join([line, *(fields or ("Host: localhost",)), "", ""]).encode("latin-1")


def refused(sent: bytes) -> HTTPStatus:
    with pytest.raises(Unacceptable) as caught:
        parse(sent, NAMES)
    return caught.value.status


def test_a_path_is_read_without_its_query() -> None:
    assert parse(head("GET /metrics?name[]=x HTTP/1.1"), NAMES) == Request(path="/metrics", is_head=False)
    assert parse(head("HEAD / HTTP/1.0"), NAMES) == Request(path="/", is_head=True)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1:9100", "127.0.0.1", "[::1]", "[::1]:80", " localhost ", "localhost:"],
)
def test_the_names_of_loopback_are_served_whatever_the_port(host: str) -> None:
    assert parse(head("GET / HTTP/1.1", f"hOsT:{host}"), NAMES).path == "/"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "127.0.0.2", "localhost.", "127.1", "[::2]"],
)
def test_a_foreign_name_that_was_made_to_point_here_is_misdirected(host: str) -> None:
    assert refused(head("GET / HTTP/1.1", f"Host: {host}")) is HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize(
    "fields",
    [
        ("Accept: */*",),
        ("Host: localhost", "Host: localhost"),
        ("Host: localhost", "host: evil.example"),
        ("Host:",),
        ("Host: localhost:80:80",),
        ("Host: localhost/path",),
        ("Host: user@localhost",),
        ("Host : localhost",),
        ("Host: localhost", " folded"),
        ("Host: localhost", "No colon"),
        ("Host: localhost", "Nul: \x00"),
        ("Host: localhost\nHost: evil.example",),
    ],
)
def test_no_host_two_hosts_and_malformed_fields_are_refused(fields: tuple[str, ...]) -> None:
    assert refused(head("GET / HTTP/1.1", *fields)) in {HTTPStatus.BAD_REQUEST, HTTPStatus.MISDIRECTED_REQUEST}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/2.0",
        "get / HTTP/1.1",
        "GET metrics HTTP/1.1",
        "GET http://localhost/ HTTP/1.1",
        "GET /\t HTTP/1.1",
        "GET /é HTTP/1.1",
        "GET / HTTP/1.1 ",
    ],
)
def test_a_line_that_asks_for_nothing_is_refused(line: str) -> None:
    assert refused(head(line)) is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_only_get_and_head_are_allowed(method: str) -> None:
    assert refused(head(f"{method} / HTTP/1.1")) is HTTPStatus.METHOD_NOT_ALLOWED


def test_a_refused_head_is_known_to_want_no_body() -> None:
    with pytest.raises(Unacceptable) as caught:
        parse(head("HEAD / HTTP/1.1", "Host: evil.example"), NAMES)
    assert caught.value.is_head


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(sent: bytes) -> None:
    with contextlib.suppress(Unacceptable):
        assert parse(sent + b"\r\n\r\n", NAMES).path.startswith("/")
