"""Who may ask a server on loopback: nobody in the name of a foreign web page.

A page of any site can make a browser send requests to 127.0.0.1. It cannot forge `Host` (so a name that a foreign DNS
server points at loopback is seen) nor `Origin` (so a form or script of another site is seen).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Methods that change nothing.
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def is_loopback(authority: str) -> bool:
    """Whether `host[:port]` names this machine's loopback: localhost, 127.0.0.0/8 or [::1]."""
    if "@" in authority:
        return False
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return False
    if host.rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(method: str, headers: Mapping[str, str]) -> str | None:
    """Why a request is not served, or None; headers by lower-case name.

    Refused are requests to another name than loopback's, and changes that are asked for by a page of another origin.
    """
    host = headers.get("host", "")
    if not is_loopback(host):
        return "this server answers on loopback names only"
    origin = headers.get("origin")
    if method in SAFE_METHODS or origin is None:
        return None
    if origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}:
        return None
    return "a change cannot be asked for by a page of another origin"
