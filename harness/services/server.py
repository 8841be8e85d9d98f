"""A server that is ready: what it is, where it answers, and who started it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["postgresql", "redis"]
Origin = Literal["url", "wheel", "path", "docker"]

#: The environment variable that names a server of each kind.
URL_VARIABLES: dict[Kind, str] = {"postgresql": "DATABASE_URL", "redis": "REDIS_URL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL or Redis-compatible server that has answered.

    `product` is what the server says of itself, such as "PostgreSQL 18.6" or "Redis-compatible: Valkey 9.1.2".
    `pid` and `folder` are those of a server that we started, else None. `settings` are the ones it was started with
    and that differ from its defaults. `url` may hold a password: show `redacted_url` instead.
    """

    name: Kind
    url: str = field(repr=False)
    product: str
    origin: Origin
    pid: int | None = None
    folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def redacted_url(self) -> str:
        """The URL with its password masked."""
        return redact(self.url)
