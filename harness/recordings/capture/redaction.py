"""Account identifiers out of frames before anything touches the disk, by stand-ins of the same length.

The n-th identifier that is met gets the n-th stand-in: the same one always gets the same, sizes stay true, and a
stand-in tells nothing of what it stands for, which the hash of a short number would. Balances, prices, quantities and
trade ids stay: they are the recording.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from harness.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Whose value names an account or opens it, as text or as a number (WebSocket API and REST, spot and USD-M).
_KEYS: Final = (
    rb"listenKey|apiKey|signature|email|uid|userId|userID|accountId|accountID|account|accountAlias|subAccountId"
    rb"|subUserId|parentUserId|token|authorizationToken"
)
_VALUE: Final = rb'\s*:\s*(?:"((?:[^"\\]|\\.){1,4096})"|(\d{1,40})(?=\s*[,}\]]))'
_IDENTITY: Final = re.compile(rb'"(' + _KEYS + rb')"' + _VALUE)
#: Orders' ids and their clients' own, by event: elsewhere the letters mean something else (exchange/account_events.py).
_ORDER_KEYS: Final = {
    b"executionReport": re.compile(rb'"(c|C|i)"' + _VALUE),
    b"listStatus": re.compile(rb'"(c|C|i|g)"' + _VALUE),
    b"ORDER_TRADE_UPDATE": re.compile(rb'"(c|i)"' + _VALUE),
    b"TRADE_LITE": re.compile(rb'"(c|i)"' + _VALUE),
    b"ALGO_UPDATE": re.compile(rb'"(caid|aid|ai)"' + _VALUE),
    b"CONDITIONAL_ORDER_TRIGGER_REJECT": re.compile(rb'"(i)"' + _VALUE),
    b"STRATEGY_UPDATE": re.compile(rb'"(si|c)"' + _VALUE),
    b"GRID_UPDATE": re.compile(rb'"(si)"' + _VALUE),
}
_EVENT: Final = re.compile(rb'"e"\s*:\s*"([A-Za-z_]{1,40})"')
#: What the exchange itself writes into a client order id: it names no account and has a meaning.
_EXCHANGES_OWN: Final = (b"autoclose-", b"adl_autoclose", b"settlement_autoclose-")
#: Binance's listen keys: 64 letters and digits, not all of them hexadecimal.
_LISTEN_KEY: Final = re.compile(
    rb"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[G-Zg-z])[A-Za-z0-9]{64}(?![A-Za-z0-9])"
)
_SECRET_FIELDS: Final = frozenset({"listenKey", "apiKey", "signature", "token"})
#: So that a long capture cannot fill the memory; what comes later is all the same one.
_MOST_STAND_INS: Final = 1_000_000
#: Shorter ones would be found in prices.
_LEAST_SECRET: Final = 8
_ALPHABET: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"


class Redactor:
    """Makes frames and names fit to be kept; `order_ids` says whether orders' ids go as well."""

    def __init__(self, secrets: Iterable[str] = (), *, order_ids: bool = False) -> None:
        """`secrets` are replaced wherever they occur, on market connections too."""
        self._order_ids = order_ids
        self._known: dict[bytes, bytes] = {}
        self._words: set[bytes] = set()
        self._secrets = [
            (secret, self._stand_in(secret))
            for secret in (text.encode() for text in sorted(set(secrets), key=len, reverse=True))
            if len(secret) >= _LEAST_SECRET
        ]

    @property
    def stand_ins(self) -> int:
        """How many identifiers have been replaced so far."""
        return len(self._known)

    def market(self, body: bytes) -> bytes:
        """A market frame without the secrets that are known."""
        for secret, stand_in in self._secrets:
            if secret in body:
                body = body.replace(secret, stand_in)
        return body

    def user(self, body: bytes) -> bytes:
        """An account frame without listen keys and what names the account."""
        body = _LISTEN_KEY.sub(lambda match: self._stand_in(match[0]), self.market(body))
        body = _IDENTITY.sub(self._replaced, body)
        if not self._order_ids:
            return body
        event = _EVENT.search(body)
        pattern = _ORDER_KEYS.get(event[1]) if event else None
        return pattern.sub(self._replaced, body) if pattern else body

    def text(self, words: str) -> str:
        """Words of our own, such as a stream's name or a reason, as an account frame would be."""
        return self.user(words.encode()).decode()

    def _replaced(self, match: re.Match[bytes]) -> bytes:
        group = 3 if match[2] is None else 2
        value = match[group]
        if not value or value.startswith(_EXCHANGES_OWN):
            return match[0]
        whole = match[0]
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        return whole[:start] + self._stand_in(value) + whole[end:]

    def _stand_in(self, value: bytes) -> bytes:
        known = self._known.get(value)
        if value in self._words:
            return value  # replaced already, as a listen key or a secret
        if known is None:
            number = len(self._known) + 1
            known = _number(number, len(value)) if value.isdigit() else _word(number, len(value))
            if len(self._known) < _MOST_STAND_INS:
                self._known[value] = known
            if not known.isdigit():
                self._words.add(known)
        return known


def secrets_of(url: str) -> list[str]:
    """What a URL holds that must not be kept: listen keys in its path or query, passwords, keys and signatures."""
    parts = urlsplit(url)
    found = [value for key, value in parse_qsl(parts.query) if key in _SECRET_FIELDS]
    found += [unquote(part) for part in parts.path.split("/") if _LISTEN_KEY.fullmatch(unquote(part).encode())]
    found += [unquote(value) for value in (parts.password,) if value]
    return [value for value in found if value != MASK]


def listen_keys_in(names: Iterable[str]) -> list[str]:
    """Those of the names that are listen keys."""
    return [name for name in names if _LISTEN_KEY.fullmatch(name.encode())]


def _number(number: int, length: int) -> bytes:
    """A number of that many digits, which does not begin with a zero."""
    least = 10 ** (length - 1)
    return b"%d" % (least + number % (9 * least)) if length > 1 else b"%d" % (number % 10)


def _word(number: int, length: int) -> bytes:
    """Letters and digits of that length: `xxxx0001`."""
    digits = bytearray()
    while number and len(digits) < length:
        number, last = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[last])
    return bytes(reversed(digits)).rjust(length, b"x")
