"""The exchange's public REST interface: depth snapshots, past candles, filters, time. No key, no account."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

from harness.bot.rest_shapes import ExchangeInfo, KlineRow, Refused, ServerTime, candle, filters_of
from harness.clock import MonotonicClock
from harness.errors import ServiceError
from harness.exchange.book_sync import Snapshot
from harness.redact import redact
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from harness.clock import Clock
    from harness.exchange.events import Candle
    from harness.exchange.filters import SymbolFilters

T = TypeVar("T")
RestMarket = Literal["spot", "usdm"]

#: Where the market's paths begin.
_PREFIX: Final[Mapping[RestMarket, str]] = {"spot": "/api/v3", "usdm": "/fapi/v1"}
#: The deepest snapshot that the market gives (BINANCE.md, sections 5.1 and 6).
DEEPEST: Final[Mapping[RestMarket, int]] = {"spot": 5_000, "usdm": 1_000}
#: USD-M takes no other limits of a snapshot.
_USDM_DEPTHS: Final = (5, 10, 20, 50, 100, 500, 1_000)
#: Candles that one answer holds at most, on either market.
MOST_CANDLES: Final = 1_000
#: Names that a query can hold; for more all symbols are fetched.
_MOST_NAMES: Final = 100

_MB: Final = 1024 * 1024
_SMALL_BYTES: Final = 8 * _MB
_EXCHANGE_INFO_BYTES: Final = 32 * _MB
_ERROR_BYTES: Final = 64 * 1024

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
#: For a whole answer, however slowly it drips.
DEADLINE_S: Final = 30.0
#: When the exchange says "too many" without saying for how long; its bans begin at two minutes.
_REST_S: Final = {429: 60.0, 418: 120.0}
_LONGEST_REST_S: Final = 3 * 24 * 3600.0
_WORDS_SHOWN: Final = 200

_ADVICE: Final = {
    403: "its firewall refused us: ask less often",
    404: "nothing is at this path: check the address and the market (spot or usdm)",
    451: "it does not serve this place: try another address, such as https://data-api.binance.vision for spot",
}


class RateLimited(ServiceError):
    """The exchange asked for a rest (429), or has banned our address for a while (418)."""

    def __init__(self, host: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"{host} asks for a rest of {retry_after_s:.0f} s (too many requests); wait, ask for fewer symbols, "
            "or for smaller depth snapshots"
        )


class RestClient:
    """Asks one market's public data. Every method raises ServiceError, with what to do, when it gets no good answer.

    Proxy variables and `.netrc` are not looked at, redirects not followed, certificates verified. During a rest that
    the exchange asked for nothing is sent: RateLimited is raised at once.
    """

    def __init__(self, base_url: str, market: RestMarket, *, clock: Clock | None = None) -> None:
        """`base_url`: `https://api.binance.com`, or a replay's `http://127.0.0.1:port`."""
        parts = _parts(base_url)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
            or "@" in base_url
        ):
            raise ServiceError(f"{redact(base_url)!r} is no address of a REST interface; write https://host[:port]")
        self._host = parts.hostname
        self._prefix = _PREFIX[market]
        self._market = market
        self._clock = clock or MonotonicClock()
        self._rest_until = 0
        self._client = httpx.AsyncClient(
            base_url=base_url,
            trust_env=False,
            follow_redirects=False,
            timeout=_TIMEOUT,
            # Uncompressed: so a few bytes cannot become many.
            headers={"Accept-Encoding": "identity", "Accept": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def depth(self, symbol: str, limit: int) -> Snapshot:
        """The book's best `limit` levels a side; raises ValueError for a limit that the market does not give."""
        if not (1 <= limit <= DEEPEST[self._market] if self._market == "spot" else limit in _USDM_DEPTHS):
            raise ValueError(f"the {self._market} market gives no depth snapshot of {limit} levels")
        return await self._get("/depth", Snapshot, symbol=symbol, limit=str(limit))

    async def klines(self, symbol: str, interval: str, limit: int, *, now_ms: int | None = None) -> list[Candle]:
        """The last closed candles, oldest first: `limit` of them, at most 999, or as many as there are.

        Closed are those that ended before `now_ms`, the exchange's time, which is asked for when it is not given.
        """
        if not 1 <= limit < MOST_CANDLES:
            raise ValueError(f"{limit} candles; from 1 to {MOST_CANDLES - 1} can be asked for")
        now = await self.time() if now_ms is None else now_ms
        # One more, since the last one is open most of the time.
        rows = await self._get("/klines", list[KlineRow], symbol=symbol, interval=interval, limit=str(limit + 1))
        return [candle(row, interval) for row in rows if row.close_time < now][-limit:]

    async def exchange_filters(self, symbols: Iterable[str]) -> dict[str, SymbolFilters]:
        """Tick size, lot step and minimum notional of each symbol; ServiceError names the symbols not listed."""
        wanted = list(dict.fromkeys(symbols))
        query = {}
        if self._market == "spot" and 0 < len(wanted) <= _MOST_NAMES:
            query["symbols"] = json.dumps(wanted, separators=(",", ":"), ensure_ascii=False)
        info = await self._get("/exchangeInfo", ExchangeInfo, _EXCHANGE_INFO_BYTES, **query)
        listed = {item.symbol: item for item in info.symbols}
        missing = [symbol for symbol in wanted if symbol not in listed]
        if missing:
            raise ServiceError(
                f"{self._host} lists no {', '.join(map(repr, missing[:10]))} on the {self._market} market; "
                "check the spelling and the market"
            )
        try:
            return {symbol: filters_of(listed[symbol]) for symbol in wanted}
        except ValueError as error:
            raise ServiceError(f"{self._host}: {error}; leave the symbol out") from error

    async def time(self) -> int:
        """The exchange's time in ms since 1970."""
        return (await self._get("/time", ServerTime)).server_time

    async def _get(self, path: str, shape: type[T], most_bytes: int = _SMALL_BYTES, **query: str) -> T:
        self._check_rest()
        try:
            async with asyncio.timeout(DEADLINE_S):
                body = await self._fetch(path, query, most_bytes)
        except TimeoutError as error:
            raise self._unreachable(f"no whole answer in {DEADLINE_S:.0f} s") from error
        except httpx.TimeoutException as error:
            raise self._unreachable(f"no answer in time ({type(error).__name__})") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(_shown(str(error)) or type(error).__name__) from error
        try:
            return msgspec.json.decode(body, type=shape, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServiceError(
                f"{self._host} answered {path} with something else than the exchange does ({_shown(str(error))}); "
                "check the address"
            ) from error

    async def _fetch(self, path: str, query: dict[str, str], most_bytes: int) -> bytes:
        async with self._client.stream("GET", self._prefix + path, params=query) as response:
            if response.status_code == 200:
                return await self._body(response, most_bytes)
            if response.status_code in _REST_S:
                raise self._rest(response)
            words = b"" if response.is_redirect else await self._body(response, _ERROR_BYTES)
            raise self._refused(path, response.status_code, words)

    async def _body(self, response: httpx.Response, most_bytes: int) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ServiceError(f"{self._host} answered compressed, which nobody asked for; check for a proxy between")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > most_bytes:
                raise ServiceError(
                    f"{self._host} answered {response.url.path} with more than {most_bytes:,} bytes; check the address"
                )
        return bytes(body)

    def _check_rest(self) -> None:
        left = self._rest_until - self._clock.now()
        if left > 0:
            raise RateLimited(self._host, left / NS_PER_S)

    def _rest(self, response: httpx.Response) -> RateLimited:
        said = response.headers.get("Retry-After", "")
        seconds = float(said) if said.isascii() and said.isdigit() and len(said) < 10 else _REST_S[response.status_code]
        seconds = min(max(seconds, 1.0), _LONGEST_REST_S)
        self._rest_until = max(self._rest_until, self._clock.now() + round(seconds * NS_PER_S))
        return RateLimited(self._host, seconds)

    def _refused(self, path: str, status: int, words: bytes) -> ServiceError:
        if 300 <= status < 400:
            advice = "redirects are not followed: give the final address"
        elif status >= 500:
            advice = "the trouble is on its side: try again later"
        else:
            advice = _ADVICE.get(status, "check symbol, interval and market")
        return ServiceError(f"{self._host} refused {path} with HTTP {status}{_reason(words)}; {advice}")

    def _unreachable(self, problem: str) -> ServiceError:
        return ServiceError(f"{self._host} cannot be asked: {problem}; check the address and the network")


def _parts(base_url: str) -> SplitResult:
    """The parts of the address; empty ones for what is no address at all."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _reason(words: bytes) -> str:
    """The exchange's own words, from `{"code":-1121,"msg":"Invalid symbol."}`; empty when it said nothing such."""
    try:
        refused = msgspec.json.decode(words, type=Refused)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return f" ({refused.code}: {_shown(refused.msg)})"


def _shown(text: str) -> str:
    """A peer's words as far as they may stand in a log: short, on one line, without secrets."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 10 * _WORDS_SHOWN])
    return redact(line)[:_WORDS_SHOWN]
