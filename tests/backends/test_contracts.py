from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.backends.contracts import CacheStatistics, Codec, TypedCodec
from harness.backends.registry import registry

if TYPE_CHECKING:
    from harness.backends.caches import MemoryCache, NoCache
    from harness.backends.contracts import Cache, Connection, LoopFactory, Transport
    from harness.backends.loops import asyncio_loop
    from harness.backends.redis_cache import RedisCache
    from harness.backends.transports import WebsocketsConnection, WebsocketsTransport

    # mypy holds that what ships fits its contract.
    CACHES: tuple[Cache, ...] = (NoCache(), MemoryCache(), RedisCache(""))
    LOOPS: tuple[LoopFactory, ...] = (asyncio_loop,)
    TRANSPORTS: tuple[Transport, ...] = (WebsocketsTransport(),)

    def _as_connection(connection: WebsocketsConnection) -> Connection:
        return connection


def test_each_codec_fits_the_contract(codec: Codec) -> None:
    assert isinstance(codec, Codec)


def test_only_msgspec_decodes_into_types() -> None:
    assert isinstance(registry().codec("msgspec"), TypedCodec)
    assert not isinstance(registry().codec("json"), TypedCodec)


@pytest.mark.parametrize(("hits", "misses", "rate"), [(0, 0, 0.0), (0, 5, 0.0), (3, 1, 0.75), (4, 0, 1.0)])
def test_the_hit_rate_counts_answered_look_ups_only(hits: int, misses: int, rate: float) -> None:
    assert CacheStatistics(hits=hits, misses=misses, errors=9).hit_rate == rate
