"""Exchange-native lines of tardis.dev: of its HTTP API and its clients' cache, and of tardis-machine's `/replay`.

A line of the former is `<ISO time in 100 ns>Z <message>`, of the latter `{"localTimestamp":"<ISO time>","message":
<message>}`; an empty line in either stands where the connection was away. The message is the exchange's frame, or one
that tardis made (`"generated":true`) of what a REST request got.

Normalized lines and CSV files hold neither update ids nor the exchange's fields: no frame can be made of them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import RecordingError
from harness.recordings.importers.items import DEPTH_PATHS, Item, Told, check_json, note
from harness.recordings.importers.texts import lines
from harness.recordings.records import MARKET
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.importers.items import Wanted
    from harness.recordings.records import Market

_TIME: Final = rb"(?P<day>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?Z"
_LINE: Final = re.compile(_TIME + rb" (?P<body>\{.*)")
_REPLAY_LINE: Final = re.compile(rb'\{"localTimestamp":"' + _TIME + rb'","message":(?P<body>.*)\}')
_NORMALIZED: Final = re.compile(rb'\{"type":"\w+"|exchange,symbol,timestamp,local_timestamp')
_GENERATED: Final = re.compile(rb'"generated"\s*:\s*true')
#: What tardis asked for by REST, by the stream's tail: the path for each market.
_REQUESTS: Final[dict[str, dict[Market, str]]] = {
    "depthSnapshot": DEPTH_PATHS,
    "openInterest": {"usdm": "/fapi/v1/openInterest"},
}


class _Generated(msgspec.Struct):
    stream: str
    data: msgspec.Raw


def is_tardis(line: bytes) -> bool:
    """Whether a file with such a line is one of tardis'."""
    return any(form.match(line) for form in (_LINE, _REPLAY_LINE, _NORMALIZED))


class TardisReader:
    """One file, or one request's answer."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.told = Told()
        self._wanted = wanted
        self._path = path

    def items(self, on_progress: Callable[[int], None] | None) -> Iterator[Item]:
        """Frames, and the bodies that tardis got by REST; an empty line marks the item after it."""
        before: int | None = None
        away = False
        for number, line in lines(self._path, on_progress):
            if not line:
                away = before is not None
                continue
            at, body = self._parts(number, line)
            item = self._item(number, at, body)
            if item is not None:
                yield item._replace(lost_at=before) if away else item
                away = False
                before = at

    def _parts(self, number: int, line: bytes) -> tuple[int, bytes]:
        match = _LINE.fullmatch(line) or _REPLAY_LINE.fullmatch(line)
        if match is None and _NORMALIZED.match(line):
            raise RecordingError(
                self._path,
                number,
                "normalized data of tardis, which lacks the exchange's ids; take the exchange-native (/replay)",
            )
        if match is None:
            raise RecordingError(self._path, number, "neither `<ISO time>Z <JSON>` nor a line of /replay")
        check_json(self._path, number, match["body"])
        try:
            second = datetime.fromisoformat(match["day"].decode()).replace(tzinfo=UTC)
        except ValueError as error:
            raise RecordingError(self._path, number, f"no time: {error}") from error
        fraction = int((match["fraction"] or b"").ljust(9, b"0"))
        return int(second.timestamp()) * NS_PER_S + fraction, match["body"]

    def _item(self, number: int, at: int, body: bytes) -> Item | None:
        if not _GENERATED.search(body):
            note(self.told, self._path, number, body)
            return Item(at, MARKET, body, number)
        connection, answer = self._request(number, body)
        if not connection:
            self.told.left_out += 1
            return None
        return Item(at, connection, answer, number)

    def _request(self, number: int, body: bytes) -> tuple[str, bytes]:
        """The request that got what a generated message holds, and the answer; "" for one that is of no use."""
        try:
            message = msgspec.json.decode(body, type=_Generated)
        except msgspec.MsgspecError as error:
            raise RecordingError(self._path, number, f"a generated message of another shape: {error}") from error
        symbol, _, tail = message.stream.partition("@")
        paths = _REQUESTS.get(tail, {})
        path = paths.get(self.told.market or self._wanted.market or "spot")
        limit = "&limit=1000" if tail == "depthSnapshot" else ""
        return f"rest:{path}?symbol={symbol.upper()}{limit}" if path else "", bytes(message.data)
