from __future__ import annotations

import logging

import pytest

from harness.bot.malformed import MalformedFrames

ERROR = ValueError("no JSON")
LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


@pytest.fixture
def frames(caplog: pytest.LogCaptureFixture) -> MalformedFrames:
    caplog.set_level(logging.WARNING, "harness.bot.malformed")
    return MalformedFrames()


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b'{"stream":"btcusdt@kline_1m","data":{"e":"kl', "kline"),
        (b'{"stream":"btcusdt@markPrice@1s","data":7}', "markPrice"),
        (b'{"data":{"e":"trade"},"stream":"btcusdt@aggTrade"', "aggTrade"),
        (b'{"stream":"!ticker@arr","data":', "!ticker@arr"),
        (b'{"stream":"btcusdt@novelty","data":', "market"),
        (b'{"stream":"\xff\xfe@trade","data":', "trade"),
        (b'{"e":"depthUpdate","E":-1}', "depth"),
        (b'{"e":"novelty"', "market"),
        (b'{"e":7', "market"),
        (b"", "market"),
        (b"[" * 100_000, "market"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_market_frame_is_of_the_kind_that_its_stream_or_its_event_tells(
    frame: bytes, kind: str, frames: MalformedFrames
) -> None:
    frames.add("market", frame, ERROR)
    assert frames.counts == {kind: 1}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b'{"subscriptionId":0,"event":{"e":"executionReport","E":-1}}', "executionReport"),
        (b'{"stream":"key","data":{"e":"ACCOUNT_UPDATE"', "ACCOUNT_UPDATE"),
        (b'{"stream":"btcusdt@trade","data":{"e":"trade"', "account"),
        (b'{"e":"novelty"', "account"),
        (b"null", "account"),
    ],
)
def test_an_account_frame_is_of_the_kind_that_its_event_tells(frame: bytes, kind: str, frames: MalformedFrames) -> None:
    frames.add("account", frame, ERROR)
    assert frames.counts == {kind: 1}


def test_the_first_of_a_kind_is_logged_and_the_others_are_counted(
    frames: MalformedFrames, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        frames.add("market", b'{"stream":"s%d@trade","data":' % number, ERROR)
        frames.add("account", b"[%d" % number, ERROR)
    assert frames.counts == {"trade": 50, "account": 50}
    assert [record.getMessage() for record in caplog.records] == [
        'malformed trade frame, more of these are only counted (no JSON): \'{"stream":"s0@trade","data":\'',
        "malformed account frame, more of these are only counted (no JSON): '[0'",
    ]


def test_what_is_logged_is_short_and_on_one_line(frames: MalformedFrames, caplog: pytest.LogCaptureFixture) -> None:
    frames.add("market", b"\n\x1b[31m\xff" + b"x" * 1_000_000, ValueError("y" * 1_000_000))
    (record,) = caplog.records
    told = record.getMessage()
    assert len(told) < 600
    assert told.isprintable()
    assert r"\n\x1b[31m\\xff" in told


@pytest.mark.parametrize(
    "frame",
    [
        b'{"stream":"%s","data":{"e":"ACCOUNT_UPDATE","E":-1}}' % LISTEN_KEY.encode(),
        b'{"stream":"%s' % LISTEN_KEY[:40].encode(),
        b'{"e":"listenKeyExpired","listenKey":"%s' % LISTEN_KEY[:63].encode(),
        b'{"listenKey" : "%s"' % LISTEN_KEY.encode(),
        b'{"novelty":"%s"}' % LISTEN_KEY.encode(),
        b'["ws://user:%s@host/"]' % LISTEN_KEY.encode(),
    ],
    ids=lambda frame: frame[:24].decode(),
)
def test_no_secret_is_logged_not_even_half_of_it(
    frame: bytes, frames: MalformedFrames, caplog: pytest.LogCaptureFixture
) -> None:
    frames.add("account", frame, ValueError(f"wss://host/?listenKey={LISTEN_KEY}"))
    (record,) = caplog.records
    assert LISTEN_KEY[:8] not in record.getMessage()
    assert "***" in record.getMessage()


def test_kinds_are_as_many_as_binance_has(frames: MalformedFrames) -> None:
    for number in range(10_000):
        frames.add("market", b'{"stream":"x@new%d"' % number, ERROR)
        frames.add("account", b'{"e":"new%d"' % number, ERROR)
    assert frames.counts == {"market": 10_000, "account": 10_000}
