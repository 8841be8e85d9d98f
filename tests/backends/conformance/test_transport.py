"""Transports that break one promise each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from harness.backends.conformance import check_transport, failure
from harness.backends.transports import WebsocketsConnection, WebsocketsTransport

if TYPE_CHECKING:
    from collections.abc import Callable


class Altered(WebsocketsTransport):
    """Hands frames on as another function makes them."""

    def __init__(self, alter: Callable[[bytes, Callable[[Any], object]], object]) -> None:
        self._alter = alter

    async def connect(self, url: str, on_frame: Callable[[Any], object]) -> WebsocketsConnection:
        return await super().connect(url, lambda frame: self._alter(frame, on_frame))


class Compressing(WebsocketsTransport):
    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> WebsocketsConnection:
        return WebsocketsConnection(await connect(url), on_frame)


class Special(WebsocketsTransport):
    """Its connections are of another class."""

    def __init__(self, kind: type[WebsocketsConnection]) -> None:
        self._kind = kind

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> WebsocketsConnection:
        connection = await super().connect(url, on_frame)
        connection.__class__ = self._kind
        return connection


class Unpausable(WebsocketsConnection):
    def pause(self) -> None:
        """Reads on."""


class Binary(WebsocketsConnection):
    async def send(self, data: bytes) -> None:
        await self._connection.send(data)


class Careless(WebsocketsConnection):
    async def wait_closed(self) -> None:
        await asyncio.wait({self._reader})


class Foreign(WebsocketsConnection):
    async def wait_closed(self) -> None:
        try:
            await super().wait_closed()
        except ConnectionError as error:
            raise RuntimeError(str(error)) from error


class Abrupt(WebsocketsConnection):
    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        self._connection.transport.abort()


class Unguarded(WebsocketsTransport):
    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> WebsocketsConnection:
        try:
            return await super().connect(url, on_frame)
        except OSError as error:
            raise LookupError(str(error)) from error


PUSHED = "frames are pushed as bytes, whole and in order, before wait_closed() returns"


@pytest.mark.parametrize(
    ("transport", "promises"),
    [
        (Altered(lambda frame, tell: tell(frame.decode("latin-1"))), {PUSHED}),
        (Altered(lambda frame, tell: tell(frame) if frame else None), {PUSHED}),
        (Compressing(), {"compression is not asked for"}),
        (
            Special(Unpausable),
            {"no callback between pause() and resume()", "pause() holds the peer back, and nothing is lost"},
        ),
        (Special(Binary), {"send() sends one text frame"}),
        (
            Special(Careless),
            {
                "any other close is a ConnectionError",
                "a broken connection is a ConnectionError",
                "wait_closed() raises what the callback raised, and close() does not",
            },
        ),
        (Special(Foreign), {"any other close is a ConnectionError", "a broken connection is a ConnectionError"}),
        (Special(Abrupt), {"close() closes in order, twice if need be"}),
        (Unguarded(), {"nobody listening is an OSError", "a refused handshake is a ConnectionError"}),
    ],
    ids=["text", "no empty frame", "compressing", "unpausable", "binary", "careless", "foreign", "abrupt", "unguarded"],
)
async def test_broken_promises_are_found(
    transport: WebsocketsTransport, promises: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure, "TIMEOUT_S", 2.0)
    assert promises <= {found.promise for found in await check_transport(transport)}
