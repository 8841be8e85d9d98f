"""The REST paths that clients ask before they stream, answered from the recording."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from harness.recordings.format import REST
from harness.replay.rest.exchange import MarketData, Pass
from harness.replay.rest.exchange_info import futures_info, options_info, spot_info, spot_symbol, usdm_symbol
from harness.replay.rest.http import HttpAnswer, refused
from harness.replay.rest.listen_keys import ListenKeyRequests
from harness.replay.rest.listings import listings_of
from harness.replay.rest.parameters import Parameters, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.recordings.format import Frame, Header
    from harness.replay.rest.books import Choice
    from harness.replay.rest.http import HttpRequest
    from harness.replay.rest.listen_keys import ListenKeys
    from harness.replay.tape import Tape

Venue = Literal["spot", "usdm", "coinm", "options"]

#: COIN-M and options are asked by clients that load all markets; they list nothing. `/api/v1` is older than 2026.
_PREFIXES: Final[dict[str, Venue]] = {
    "/api/v3/": "spot",
    "/api/v1/": "spot",
    "/fapi/v1/": "usdm",
    "/dapi/v1/": "coinm",
    "/eapi/v1/": "options",
}
#: Every path below these is the exchange's, and unknown ones are told so.
_OURS: Final = ("/api/", "/fapi/", "/dapi/", "/eapi/", "/sapi/", "/papi/")
_LISTEN_KEYS: Final[dict[Venue, str]] = {"spot": "userDataStream", "usdm": "listenKey"}
_LISTEN_KEY_METHODS: Final = ("POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """exchangeInfo's symbols, encoded once."""

    symbols: Mapping[str, msgspec.Raw]
    quotes: list[str]


class Rest:
    """Answers public REST requests of one recording. Thread-safe; work is bounded by the tape and by the limits."""

    def __init__(
        self,
        header: Header,
        tape: Tape,
        bodies: Iterable[Frame] = (),
        *,
        snapshots: Choice,
        where: Callable[[], tuple[Tape, int]],
        listen_keys: ListenKeys,
        wall_ms: Callable[[], int],
        bodies_of: Callable[[Tape], Iterable[Frame]] | None = None,
    ) -> None:
        """`tape` and `bodies`: the first pass and the recording's frames on `rest:` connections (others are ignored).

        `where()` gives the tape of the running pass and how many of its frames were sent; it is called under a lock
        and must not ask this object. For a tape other than the first, `bodies_of` gives that pass' REST bodies with
        ids moved on; without it later passes have none. `wall_ms` is the time that clients sign with.
        """
        self._market = header.market
        self._first = tape
        self._bodies = [frame for frame in bodies if frame.connection.startswith(REST)]
        self._bodies_of = bodies_of
        self._where = where
        self._wall_ms = wall_ms
        self._lock = Lock()
        self._pass = Pass(tape, self._bodies, self._market)
        self._listed = self._list(header)
        self._listen_keys = ListenKeyRequests(listen_keys, self._market)
        data = MarketData(self._market, snapshots)
        self._data: dict[str, Callable[[Pass, int, Parameters], Any]] = {
            "depth": data.depth,
            "klines": data.klines,
            "aggTrades": data.aggregates,
            "trades": data.trades,
            "ticker/24hr": data.day,
            "ticker/bookTicker": data.best,
            "ticker/price": data.price,
        }
        if self._market == "spot":
            self._data |= {"uiKlines": data.klines, "avgPrice": data.average}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that is listed."""
        return tuple(self._listed.symbols)

    def restart(self) -> None:
        """A new serving begins: the next snapshot request of each symbol counts as its first."""
        with self._lock:
            self._pass.books.restart()

    def answer(self, request: HttpRequest, now_ns: int) -> HttpAnswer | None:
        """The answer, which may be an error of the exchange's; None for a path that is none of the exchange's."""
        if not request.path.startswith(_OURS):
            return None
        try:
            return self._answer(request, now_ns)
        except Refusal as refusal:
            return refusal.answer

    def _answer(self, request: HttpRequest, now_ns: int) -> HttpAnswer:
        prefix = next((one for one in _PREFIXES if request.path.startswith(one)), None)
        if prefix is None:
            raise _no_path(request)
        venue, name = _PREFIXES[prefix], request.path.removeprefix(prefix)
        if name == _LISTEN_KEYS.get(venue):
            return self._on_listen_key(request, venue, now_ns)
        if request.method != "GET":
            return _not_supported(request, "GET") if self._has(venue, name) else _no_path(request).answer
        return _json(self._get(request, venue, name))

    def _has(self, venue: Venue, name: str) -> bool:
        return name in {"ping", "time", "exchangeInfo"} or (venue in {"spot", "usdm"} and name in self._data)

    def _get(self, request: HttpRequest, venue: Venue, name: str) -> Any:
        asked = Parameters(request.query, self._listed.symbols if venue == self._market else {})
        if name == "ping":
            return {}
        if name == "time":
            return {"serverTime": self._wall_ms()}
        if name == "exchangeInfo":
            return self._exchange_info(venue, asked)
        if not self._has(venue, name):
            raise _no_path(request)
        with self._lock:
            held, position = self._reached()
            return self._data[name](held, position, asked)

    def _reached(self) -> tuple[Pass, int]:
        tape, position = self._where()
        if tape is not self._pass.tape:
            bodies = self._bodies if tape is self._first else (self._bodies_of(tape) if self._bodies_of else ())
            self._pass = Pass(tape, bodies, self._market)
        return self._pass, position

    def _exchange_info(self, venue: Venue, asked: Parameters) -> Any:
        now = self._wall_ms()
        if venue == "options":
            return options_info(now)
        if venue == "coinm":
            return futures_info([], now, [], kind="D_MARGINED")
        listed = self._listed.symbols if venue == self._market else {}
        if venue == "usdm":
            return futures_info(list(listed.values()), now, self._listed.quotes if listed else [])
        wanted = asked.symbols()
        if asked.text("symbolStatus") not in {None, "TRADING"}:
            wanted = []
        return spot_info([listed[name] for name in (listed if wanted is None else wanted)], now)

    def _list(self, header: Header) -> _Listed:
        listings = listings_of(header, self._pass.index, self._bodies)
        shape = spot_symbol if self._market == "spot" else usdm_symbol
        return _Listed(
            symbols={name: msgspec.Raw(msgspec.json.encode(shape(listing))) for name, listing in listings.items()},
            quotes=list(dict.fromkeys(listing.quote for listing in listings.values())),
        )

    def _on_listen_key(self, request: HttpRequest, venue: Venue, now_ns: int) -> HttpAnswer:
        if venue != self._market:
            raise _no_path(request)
        if request.method not in _LISTEN_KEY_METHODS:
            return _not_supported(request, *_LISTEN_KEY_METHODS)
        return _json(self._listen_keys.answer(request, {**request.form, **request.query}, now_ns))


def _json(document: Any) -> HttpAnswer:
    return HttpAnswer(body=msgspec.json.encode(document))


def _no_path(request: HttpRequest) -> Refusal:
    return Refusal(-5000, f"Path {request.path[:200]}, Method {request.method} is invalid", status=404)


def _not_supported(request: HttpRequest, *methods: str) -> HttpAnswer:
    return refused(405, -1000, f"Request method '{request.method}' is not supported.", ("Allow", ", ".join(methods)))
