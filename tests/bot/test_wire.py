from __future__ import annotations

from typing import Any

import pytest

from harness.backends.codecs import MsgspecCodec
from harness.backends.registry import registry
from harness.bot.wire import Message, Wire
from harness.exchange.account_events import (
    AccountPosition,
    Balance,
    BalanceUpdate,
    EventStreamTerminated,
    ExecutionReport,
    ExternalLockUpdate,
    ServerShutdown,
)
from harness.exchange.events import (
    AggTrade,
    BookTicker,
    Candle,
    DepthUpdate,
    Event,
    Kline,
    MarkPrice,
    MiniTicker,
    Trade,
)

# Payloads in the wire order of spot and of USD-M futures in 2026, and of both before.
AGG_TRADE = AggTrade(event_time=1_000, symbol="BTCUSDT", trade_id=7, price=0.001, quantity=100.0, buyer_is_maker=True)
TRADE = Trade(event_time=1_000, symbol="BTCUSDT", trade_id=9, price=2.5, quantity=0.1, buyer_is_maker=False)
BOOK = {"symbol": "BTCUSDT", "update_id": 4, "bid": 85999.9, "bid_quantity": 15.739, "ask": 86000.0}
CANDLE = Candle(
    open_time=10,
    close_time=69,
    interval="1m",
    open=0.1,
    close=0.2,
    high=0.25,
    low=0.0015,
    volume=1000.0,
    trades=100,
    is_closed=False,
)
MARK_PRICE = MarkPrice(
    event_time=1_000, symbol="BTCUSDT", price=86_026.4, index=86_059.26, funding_rate="0.0001", next_funding_time=9
)
DEPTH = {"event_time": 1_000, "symbol": "BTCUSDT", "first_id": 157, "last_id": 160}
LEVELS = '"b":[["0.0024","10"],["0.0023","0.00000000"]],"a":[]'

SHAPES: dict[str, tuple[str, str, Event]] = {
    "spot aggTrade": (
        "btcusdt@aggTrade",
        '{"e":"aggTrade","E":1000,"s":"BTCUSDT","a":7,"p":"0.001","q":"100","f":1,"l":2,"T":999,"m":true,"M":true}',
        AGG_TRADE,
    ),
    "USD-M aggTrade of 2026": (
        "btcusdt@aggTrade",
        '{"e":"aggTrade","E":1000,"a":7,"s":"BTCUSDT","p":"0.001","q":"100","nq":"99","f":1,"l":2,"T":9,"m":true,"st":1}',
        AGG_TRADE,
    ),
    "spot trade": (
        "btcusdt@trade",
        '{"e":"trade","E":1000,"s":"BTCUSDT","t":9,"p":"2.5","q":"0.1","T":999,"m":false,"M":true}',
        TRADE,
    ),
    "USD-M trade": (
        "btcusdt@trade",
        '{"e":"trade","E":1000,"T":999,"s":"BTCUSDT","t":9,"p":"2.5","q":"0.1","X":"MARKET","m":false}',
        TRADE,
    ),
    "spot bookTicker, without e and E": (
        "btcusdt@bookTicker",
        '{"u":4,"s":"BTCUSDT","b":"85999.90000000","B":"15.739","a":"86000.00000000","A":"4.613"}',
        BookTicker(**BOOK, ask_quantity=4.613),  # type: ignore[arg-type]
    ),
    "USD-M bookTicker of 2026": (
        "btcusdt@bookTicker",
        (
            '{"e":"bookTicker","u":4,"s":"BTCUSDT","ps":"BTCUSDT","b":"85999.90","B":"15.739","a":"86000.00","A":"4.613",'
            '"T":999,"E":1000,"st":1}'
        ),
        BookTicker(**BOOK, ask_quantity=4.613, event_time=1_000),  # type: ignore[arg-type]
    ),
    "spot kline": (
        "btcusdt@kline_1m",
        (
            '{"e":"kline","E":1000,"s":"BTCUSDT","k":{"t":10,"T":69,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.1",'
            '"c":"0.2","h":"0.25","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0","V":"500","Q":"0.5","B":"123456"}}'
        ),
        Kline(event_time=1_000, symbol="BTCUSDT", candle=CANDLE),
    ),
    "spot kline of another time zone": (
        "btcusdt@kline_1m@+08:00",
        (
            '{"e":"kline","E":1000,"s":"BTCUSDT","k":{"t":10,"T":69,"i":"1m","o":"0.1","c":"0.2","h":"0.25","l":"0.0015",'
            '"v":"1000","n":100,"x":false}}'
        ),
        Kline(event_time=1_000, symbol="BTCUSDT", candle=CANDLE),
    ),
    "spot miniTicker": (
        "btcusdt@miniTicker",
        '{"e":"24hrMiniTicker","E":1000,"s":"BTCUSDT","c":"5","o":"1","h":"6","l":"0.5","v":"10","q":"18"}',
        MiniTicker(event_time=1_000, symbol="BTCUSDT", close=5.0, open=1.0, high=6.0, low=0.5, volume=10.0),
    ),
    "USD-M miniTicker of 2026": (
        "btcusdt@miniTicker",
        '{"e":"24hrMiniTicker","E":1000,"s":"BTCUSDT","ps":"BTCUSDT","c":"5","o":"1","h":"6","l":"0.5","v":"10","st":1}',
        MiniTicker(event_time=1_000, symbol="BTCUSDT", close=5.0, open=1.0, high=6.0, low=0.5, volume=10.0),
    ),
    "USD-M markPrice before 2026": (
        "btcusdt@markPrice",
        '{"e":"markPriceUpdate","E":1000,"s":"BTCUSDT","p":"86026.4","i":"86059.26","P":"86090.5","r":"0.0001","T":9}',
        MARK_PRICE,
    ),
    "USD-M markPrice of 2026": (
        "btcusdt@markPrice@1s",
        (
            '{"e":"markPriceUpdate","E":1000,"s":"BTCUSDT","p":"86026.40000000","i":"86059.26000000","P":"86090.55903865",'
            '"r":"0.0001","ap":"86026.30000000","T":9,"st":1}'
        ),
        MARK_PRICE,
    ),
    "spot depth": (
        "btcusdt@depth@100ms",
        f'{{"e":"depthUpdate","E":1000,"s":"BTCUSDT","U":157,"u":160,{LEVELS}}}',
        DepthUpdate(**DEPTH, bids=[["0.0024", "10"], ["0.0023", "0.00000000"]], asks=[]),  # type: ignore[arg-type]
    ),
    "spot depth once a second": (
        "btcusdt@depth",
        f'{{"e":"depthUpdate","E":1000,"s":"BTCUSDT","U":157,"u":160,{LEVELS}}}',
        DepthUpdate(**DEPTH, bids=[["0.0024", "10"], ["0.0023", "0.00000000"]], asks=[]),  # type: ignore[arg-type]
    ),
    "USD-M depth, with pu": (
        "btcusdt@depth@500ms",
        f'{{"e":"depthUpdate","E":1000,"T":9,"s":"BTCUSDT","ps":"BTCUSDT","U":157,"u":160,"pu":149,{LEVELS},"st":1}}',
        DepthUpdate(
            **DEPTH,  # type: ignore[arg-type]
            bids=[["0.0024", "10"], ["0.0023", "0.00000000"]],
            asks=[],
            previous_id=149,
        ),
    ),
}


def combined(stream: str, payload: str) -> bytes:
    return f'{{"stream":"{stream}","data":{payload}}}'.encode()


def wire_of(codec: str) -> Wire:
    return Wire(registry().codec(codec))


def read_by(wire: Wire, frame: bytes) -> Message:
    message = wire.market_message(frame)
    assert message is not None, wire.counts
    return message


@pytest.mark.parametrize("shape", SHAPES)
def test_every_market_shape_is_read_whole(shape: str, codec_name: str) -> None:
    stream, payload, event = SHAPES[shape]
    wire = wire_of(codec_name)
    for _ in range(2):  # a stream's first frame goes another way than its second
        kind, symbol, read = read_by(wire, combined(stream, payload))
        assert (symbol, read) == ("BTCUSDT", event)
        assert stream.partition("@")[2].startswith(kind)
    assert not wire.counts


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "order",
    [
        '{{"data":{payload},"stream":"{stream}"}}',
        '{{ "stream" : "{stream}" , "data" : {payload} }}',
        '{{"stream":"{stream}","data":{payload},"more":1}}',
        '{{"id":null,"stream":"{stream}","data":{payload}}}',
        '{{"stream":"{stream}","data":{payload}}}\n',
    ],
)
def test_another_order_of_keys_says_the_same(shape: str, order: str, codec_name: str) -> None:
    stream, payload, event = SHAPES[shape]
    wire = wire_of(codec_name)
    wire.market_message(combined(stream, payload))
    kind, symbol, read = read_by(wire, order.format(stream=stream, payload=payload).encode())
    assert (symbol, read) == ("BTCUSDT", event)
    assert stream.partition("@")[2].startswith(kind)
    assert not wire.counts


@pytest.mark.parametrize("shape", SHAPES)
def test_a_payload_without_envelope_tells_its_own_kind(shape: str, codec_name: str) -> None:
    stream, payload, event = SHAPES[shape]
    message = read_by(wire_of(codec_name), payload.encode())
    assert message[1:] == ("BTCUSDT", event)
    assert stream.partition("@")[2].startswith(message[0])


@pytest.mark.parametrize(
    ("frame", "label"),
    [
        (combined("!bookTicker", SHAPES["USD-M bookTicker of 2026"][1]), "!bookTicker"),
        (combined("!miniTicker@arr", "[]"), "!miniTicker@arr"),
        (combined("btcusdt@depth5@100ms", SHAPES["USD-M depth, with pu"][1]), "partialDepth"),
        (combined("btcusdt@rpiDepth@500ms", SHAPES["USD-M depth, with pu"][1]), "rpiDepth"),
        (combined("btcusdt@forceOrder", '{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT"}}'), "forceOrder"),
        (combined("btcusdt_perpetual@continuousKline_1m", '{"e":"continuous_kline","E":1}'), "continuousKline"),
        (combined("btcusdt@ticker", '{"e":"24hrTicker","E":1,"s":"BTCUSDT"}'), "ticker"),
        (b'{"e":"24hrTicker","E":1,"s":"BTCUSDT"}', "ticker"),
        (combined("tradingSession", '{"e":"EquityUpdate"}'), "tradingSession"),
        (b'{"result":null,"id":1}', "answer"),
        (b'{"error":{"code":2,"msg":"Invalid request"},"id":1}', "error"),
    ],
)
def test_what_is_known_and_nobody_reads_is_counted_as_that(
    frame: bytes, label: str, same_on_all_codecs: Any, codec_name: str
) -> None:
    assert same_on_all_codecs([frame, frame]) == ([None, None], {"unread_stream": 2})
    wire = wire_of(codec_name)
    wire.market_message(frame)
    wire.market_message(frame)
    assert (wire.unread, wire.unknown, wire.malformed) == ({label: 2}, {}, {})


@pytest.mark.parametrize(
    ("frame", "label"),
    [
        (combined("btcusdt@somethingOf2030", '{"e":"new","E":1}'), "somethingOf2030"),
        (combined("", "{}"), "other"),
        (b'{"lastUpdateId":160,"bids":[],"asks":[]}', "other"),
        (b'{"e":"new","s":"BTCUSDT"}', "new"),
        (b'{"stream":5,"data":{}}', "other"),
        (b'{"stream":null,"data":null}', "other"),
        (b'{"e":["aggTrade"],"s":"BTCUSDT"}', "other"),
        (b'{"e":"kline","s":"BTCUSDT","k":7}', "kline"),
        (b'{"e":"kline","s":"BTCUSDT","k":{"i":1e30}}', "kline"),
        (b"{}", "other"),
    ],
    ids=lambda value: value[:60].decode() if isinstance(value, bytes) else value,
)
def test_what_nobody_knows_is_counted_as_that_and_is_no_error(
    frame: bytes, label: str, same_on_all_codecs: Any, codec_name: str
) -> None:
    assert same_on_all_codecs([frame, frame]) == ([None, None], {"unknown_stream": 2})
    wire = wire_of(codec_name)
    wire.market_message(frame)
    assert (wire.unknown, wire.unread, wire.malformed) == ({label: 1}, {}, {})


SHUTDOWNS = [
    b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1791285058131}}',
    b'{"e":"serverShutdown","E":1791285058131}',
    b'{"data":{"e":"serverShutdown","E":1791285058131},"stream":"!serverShutdown"}',
    b'{"stream":"!serverShutdown","data":{"e":"server\\u0053hutdown","E":1791285058131}}',
]


@pytest.mark.parametrize("frame", SHUTDOWNS)
def test_a_market_that_shuts_down_is_told_to_whoever_keeps_the_connection(frame: bytes, codec_name: str) -> None:
    told: list[int] = []
    wire = Wire(registry().codec(codec_name), lambda: told.append(1))
    for times in (1, 2):
        assert wire.market_message(frame) is None
        assert len(told) == times
    assert not wire.counts


@pytest.mark.parametrize("frame", SHUTDOWNS)
def test_half_an_announcement_is_none(frame: bytes, codec_name: str) -> None:
    told: list[int] = []
    wire = Wire(registry().codec(codec_name), lambda: told.append(1))
    for end in range(len(frame)):
        wire.market_message(frame[:end])
    assert not told
    assert wire.counts == {"malformed": len(frame)}


def test_the_account_s_server_is_not_the_market_s(codec_name: str) -> None:
    told: list[int] = []
    wire = Wire(registry().codec(codec_name), lambda: told.append(1))
    assert wire.account_event(b'{"event":{"e":"serverShutdown","E":5}}') == ServerShutdown(event_time=5)
    assert not told


def test_unknown_fields_and_unknown_words_are_no_error(codec_name: str) -> None:
    payload = (
        '{"new":{"deep":[1,2,{"x":null}]},"e":"aggTradeOfTomorrow","E":1000,"s":"BTCUSDT","a":7,"p":"0.001",'
        '"q":"100","m":true,"zz":[]}'
    )
    message = read_by(wire_of(codec_name), combined("btcusdt@aggTrade", payload))
    assert message == ("aggTrade", "BTCUSDT", AGG_TRADE)


def test_unknown_fields_are_counted_at_a_stream_s_first_frame(codec_name: str) -> None:
    wire = wire_of(codec_name)
    kline = (
        SHAPES["spot kline"][1].replace('"n":100', '"n":100,"y":[{"z":1}]').replace('"E":', '"novelty":{"x":1},"E":')
    )
    for stream in ("btcusdt@kline_1m", "btcusdt@kline_5m"):
        for _ in range(3):
            read_by(wire, combined(stream, kline))
    assert wire.unknown == {"kline.novelty": 2, "kline.k.y": 2}
    assert not wire.counts


def test_a_frame_that_its_own_codec_took_is_taken_though_the_reference_reader_refuses_it() -> None:
    lenient: Any = type("Lenient", (MsgspecCodec,), {"decoder": lambda *_: lambda _: AGG_TRADE})
    wire = Wire(lenient())
    frame = combined("btcusdt@aggTrade", '{"zz":NaN}')
    assert [wire.market_message(frame) for _ in range(2)] == [("aggTrade", "BTCUSDT", AGG_TRADE)] * 2
    assert (wire.unknown, wire.counts) == ({}, {})


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_that_is_documented_is_unknown(shape: str, codec_name: str) -> None:
    stream, payload, _ = SHAPES[shape]
    wire = wire_of(codec_name)
    wire.market_message(combined(stream, payload))
    assert (wire.unknown, wire.unread) == ({}, {})


def test_numbers_may_stand_without_quotes(codec_name: str) -> None:
    payload = '{"e":"aggTrade","E":"1000","s":"BTCUSDT","a":"7","p":0.001,"q":100,"m":true}'
    assert wire_of(codec_name).market_message(combined("btcusdt@aggTrade", payload)) == (
        "aggTrade",
        "BTCUSDT",
        AGG_TRADE,
    )


def test_the_symbol_is_the_stream_s_in_upper_case_and_may_be_chinese(codec_name: str) -> None:
    payload = SHAPES["spot aggTrade"][1].replace("BTCUSDT", "币安人生USDT")
    kind, symbol, event = read_by(wire_of(codec_name), combined("币安人生usdt@aggTrade", payload))
    assert (kind, symbol, event.symbol) == ("aggTrade", "币安人生USDT", "币安人生USDT")  # type: ignore[attr-defined]


def test_escapes_mean_what_they_stand_for(codec_name: str) -> None:
    plain = combined("btcusdt@aggTrade", SHAPES["spot aggTrade"][1])
    wire = wire_of(codec_name)
    assert wire.market_message(plain.replace(b'"BTCUSDT"', b'"\\u0042TCUSDT"')) == ("aggTrade", "BTCUSDT", AGG_TRADE)
    assert wire.market_message(plain.replace(b'"btcusdt@', b'"\\u0062tcusdt@')) == ("aggTrade", "BTCUSDT", AGG_TRADE)
    assert wire.market_message(plain.replace(b'"p"', b'"\\u0070"')) == ("aggTrade", "BTCUSDT", AGG_TRADE)
    assert not wire.counts


def test_a_flood_of_stream_names_neither_fills_the_memory_nor_loses_those_known(codec_name: str) -> None:
    payload = SHAPES["spot aggTrade"][1]
    wire = wire_of(codec_name)
    assert wire.market_message(combined("btcusdt@aggTrade", payload))
    for number in range(5_000):
        wire.market_message(combined(f"s{number}@aggTrade", payload))
    assert len(wire._routes) == 4_096
    assert wire.counts == {"unknown_stream": 5_001 - 4_096}
    assert wire.market_message(combined("btcusdt@aggTrade", payload))


@pytest.mark.parametrize("name", ["x" * 200 + "@trade", "a\x7fb@trade", "a\u202eb@trade", "\u00ad@trade"])
def test_a_name_that_no_exchange_gives_leads_nowhere(name: str, same_on_all_codecs: Any) -> None:
    events, counts = same_on_all_codecs([combined(name, SHAPES["spot trade"][1])] * 2)
    assert events == [None, None]
    assert counts == {"unknown_stream": 2}


REPORT = (
    '{"e":"executionReport","E":1000,"s":"BTCUSDT","c":"web_1","S":"BUY","o":"LIMIT","f":"GTC","q":"0.01","p":"86000",'
    '"C":"","x":"%s","X":"%s","r":"NONE","i":5340845958,"l":"0.00400000","z":"0.004","L":"86000.00","n":"0","N":null,'
    '"T":9,"t":-1,"Z":"344"}'
)
ACCOUNT: dict[str, tuple[str, Event]] = {
    "executionReport": (
        REPORT % ("TRADE", "PARTIALLY_FILLED"),
        ExecutionReport(
            event_time=1_000,
            symbol="BTCUSDT",
            client_order_id="web_1",
            side="BUY",
            quantity="0.01",
            price="86000",
            execution="TRADE",
            status="PARTIALLY_FILLED",
            order_id=5_340_845_958,
            last_quantity="0.00400000",
            filled="0.004",
            last_price="86000.00",
            commission="0",
            commission_asset=None,
            time=9,
            trade_id=-1,
            cumulative_quote="344",
        ),
    ),
    "outboundAccountPosition": (
        '{"e":"outboundAccountPosition","E":1000,"u":9,"B":[{"a":"BTC","f":"0.25000000","l":"0.01"}]}',
        AccountPosition(event_time=1_000, balances=[Balance(asset="BTC", free="0.25000000", locked="0.01")]),
    ),
    "balanceUpdate": (
        '{"e":"balanceUpdate","E":1000,"a":"币安人生","d":"-100.50","T":9}',
        BalanceUpdate(event_time=1_000, asset="币安人生", change="-100.50"),
    ),
    "externalLockUpdate": (
        '{"e":"externalLockUpdate","E":1000,"a":"USDT","d":"10.00000000","T":9}',
        ExternalLockUpdate(event_time=1_000, asset="USDT", change="10.00000000"),
    ),
    "eventStreamTerminated": ('{"e":"eventStreamTerminated","E":1000}', EventStreamTerminated(event_time=1_000)),
}


@pytest.mark.parametrize("kind", ACCOUNT)
@pytest.mark.parametrize(
    "envelope", ['{"subscriptionId":0,"event":%s}', '{"stream":"listenkey","data":%s}', '{"event":%s}', "%s", " %s\n"]
)
def test_every_account_event_is_read_in_every_envelope(kind: str, envelope: str, codec_name: str) -> None:
    payload, event = ACCOUNT[kind]
    wire = wire_of(codec_name)
    assert wire.account_event((envelope % payload).encode()) == event
    assert not wire.counts


def test_an_order_state_of_tomorrow_is_taken_as_it_is_and_counted(codec_name: str) -> None:
    wire = wire_of(codec_name)
    frame = (REPORT % ("NOVELTY", "HALF_WAY")).replace('"n":"0"', '"zz":[1],"n":"0"').encode()
    for _ in range(2):
        event = wire.account_event(frame)
        assert isinstance(event, ExecutionReport)
        assert (event.execution, event.status) == ("NOVELTY", "HALF_WAY")
    assert wire.unknown == {"executionReport.x=NOVELTY": 2, "executionReport.X=HALF_WAY": 2, "executionReport.zz": 2}
    assert not wire.counts


def test_a_flood_of_names_fills_no_memory(codec_name: str) -> None:
    wire = wire_of(codec_name)
    for number in range(500):
        wire.account_event(b'{"e":"event of %d"}' % number)
        wire.account_event((REPORT % ("TRADE", f"STATUS_{number}")).encode())
        wire.market_message(b'{"stream":"btcusdt@new%d","data":{}}' % number)
    assert len(wire.unknown) == 65
    assert sum(wire.unknown.values()) == 1_500
    assert wire.counts == {"unknown_account_event": 500, "unknown_stream": 500}


def test_answers_to_requests_are_neither_events_nor_errors(same_on_all_codecs: Any) -> None:
    answers = [b'{"id":1,"status":200,"result":{"subscriptionId":0}}', b'{"id":null,"status":400,"error":{"code":-1}}']
    assert same_on_all_codecs(answers, read="account_event") == ([None, None], {})


def test_account_events_that_nobody_reads_are_counted(same_on_all_codecs: Any, codec_name: str) -> None:
    frames = [
        b'{"stream":"key","data":{"e":"GRID_UPDATE","T":1,"E":1,"gu":{}}}',
        b'{"e":"ALGO_UPDATE"}',
        b'{"subscriptionId":0,"event":{"e":"eventOfTomorrow","E":1}}',
        b'{"e":["executionReport"]}',
        b'{"e":null}',
    ]
    counts = {"unread_account_event": 2, "unknown_account_event": 3}
    assert same_on_all_codecs(frames, read="account_event") == ([None] * 5, counts)
    wire = wire_of(codec_name)
    for frame in frames:
        wire.account_event(frame)
    assert wire.unread == {"GRID_UPDATE": 1, "ALGO_UPDATE": 1}
    assert wire.unknown == {"eventOfTomorrow": 1, "other": 2}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"[]",
        b"null",
        b'{"event":[]}',
        b'{"event":null}',
        b'{"data":7}',
        b'{"e":"executionReport"}',
        b'{"e":"balanceUpdate","E":1,"a":"X","d":"1e999"}',
        b'{"e":"outboundAccountPosition","E":1,"B":[{"a":"BTC","f":"-1","l":"0"}]}',
        b'{"e":"outboundAccountPosition","E":1,"B":[{"a":"\\ud800","f":"1","l":"0"}]}',
        b'{"event":{"e":"balanceUpdate","E":1,"a":"X","d":"1"}',
        b'{"e":"balanceUpdate","E":1,"a":"\xff","d":"1"}',
        b"[" * 5_000 + b"]" * 5_000,
    ],
    ids=lambda frame: frame[:50].decode(errors="replace") or "empty",
)
def test_a_malformed_account_frame_is_counted_and_nothing_else(frame: bytes, same_on_all_codecs: Any) -> None:
    assert same_on_all_codecs([frame], read="account_event") == ([None], {"malformed_account": 1})


def test_what_only_some_libraries_refuse_in_unread_fields_of_an_account_frame_is_taken_by_all(
    same_on_all_codecs: Any,
) -> None:
    frames = [
        b'{"e":"balanceUpdate","E":1,"a":"X","d":"1","zz":%s}' % value
        for value in (b"1e999", b"1" * 400, b"1" * 5_000, b'"\\u0041"')
    ]
    events, counts = same_on_all_codecs(frames, read="account_event")
    assert events == [("BalanceUpdate", 1, "X", "1")] * 4
    assert counts == {}
