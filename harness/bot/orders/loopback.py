"""The only addresses that an order may go to: this machine's own."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from harness.errors import ConfigError, ServiceError
from harness.redact import redact

_WHAT: Final = "orders"


async def loopback_urls(url: str) -> list[str]:
    """The WebSocket address with its host replaced by each address that it resolves to, all of this machine's loopback.

    Whoever connects to one of them resolves nothing again, so that a second answer of the resolver cannot differ.
    Raises ConfigError for an address that is no plain `ws://`, holds a user or a password, or has a host any of whose
    addresses is not loopback; ServiceError for a host that does not resolve.
    """
    parts, port = _split(url)
    host = parts.hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ServiceError(f"{_shown(url)}: the host does not resolve: {error}") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    outside = [address for address in addresses if not _is_loopback(address)]
    if outside or not addresses:
        raise ConfigError(
            _WHAT, "", f"{_shown(url)} is {', '.join(outside) or 'nowhere'}; orders go to this machine's loopback only"
        )
    return [urlunsplit(("ws", _netloc(address, port), parts.path, parts.query, "")) for address in addresses]


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(_WHAT, "", f"{_shown(url)} is no address: {error}") from error
    if parts.scheme != "ws" or not parts.hostname:
        raise ConfigError(_WHAT, "", f"{_shown(url)}: an address of orders reads ws://127.0.0.1:PORT/ws-api/v3")
    if "@" in parts.netloc:
        raise ConfigError(_WHAT, "", f"{_shown(url)}: no user and no password, orders are not signed")
    return parts, 80 if port is None else port


def _is_loopback(address: str) -> bool:
    # An IPv4 address within an IPv6 one is taken for what it is by some systems and some versions of Python only.
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback and getattr(parsed, "ipv4_mapped", None) is None


def _netloc(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _shown(url: str) -> str:
    return redact(url[:200])
