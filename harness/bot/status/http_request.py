"""The head of an HTTP/1.1 request (RFC 9112), as strictly as a server for a handful of local clients may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_LINE = re.compile(rb"(?P<method>[A-Z]{1,20}) (?P<target>/[!-~]*) HTTP/1\.[01]")
_FIELD = re.compile(rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>[\t -~\x80-\xff]*?)[ \t]*")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:]+)(?::\d{0,5})?")


class Unacceptable(Exception):
    """A request that is refused, with the status that says so."""

    def __init__(self, status: HTTPStatus, problem: str, *, is_head: bool = False) -> None:
        super().__init__(problem)
        self.status = status
        self.is_head = is_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for; the query is dropped."""

    path: str
    is_head: bool


def parse(head: bytes, names: AbstractSet[str]) -> Request:
    """The request of a head that ends with an empty line.

    Raises Unacceptable for anything but a well-formed GET or HEAD to one of the host names. Any other name would be a
    foreign page whose own name was made to point here (DNS rebinding).
    """
    first, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _LINE.fullmatch(first)
    found = [_FIELD.fullmatch(field) for field in fields]
    if line is None:
        raise Unacceptable(HTTPStatus.BAD_REQUEST, "this is not an HTTP/1.1 request")
    is_head = line["method"] == b"HEAD"
    if None in found:
        raise Unacceptable(HTTPStatus.BAD_REQUEST, "a header field is malformed", is_head=is_head)
    hosts = [field["value"].decode("latin-1").lower() for field in found if field and field["name"].lower() == b"host"]
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if host is None:
        raise Unacceptable(HTTPStatus.BAD_REQUEST, "one Host header is needed", is_head=is_head)
    if host["name"] not in names:
        raise Unacceptable(
            HTTPStatus.MISDIRECTED_REQUEST, "only the loopback names of this machine are served", is_head=is_head
        )
    if line["method"] not in {b"GET", b"HEAD"}:
        raise Unacceptable(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered")
    return Request(path=line["target"].decode("ascii").partition("?")[0], is_head=is_head)
