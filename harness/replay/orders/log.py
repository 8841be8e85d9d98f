"""The orders that a gateway accepted, one JSON line each, on the disk before the client is told.

A resting order that was cancelled has a second line. Versions: 2 - orders that rest, and what was sent when the order
arrived; 1 - first, which is still read.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from array import array
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from harness.errors import ConfigError, ResultError
from harness.exchange.matching import Accepted, Cancelled
from harness.exchange.orders import Fill, Order, Side, Terms
from harness.replay.orders.stamps import UNSTAMPED, Stamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

_log = logging.getLogger(__name__)

#: Each known id costs some 150 bytes of memory; a gateway with a full log takes no further order.
MAX_ORDERS: Final = 1_000_000
#: No order's line is near it: the texts in it are bounded by the exchange's own rules.
_MAX_LINE_BYTES: Final = 2_048


class AcceptedOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The line of an order."""

    v: Literal[1, 2] = 2
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    """The order's own limit, and that of its fill."""
    status: Literal["FILLED", "EXPIRED", "NEW", "CANCELED"]
    """NEW for one that rests; CANCELED is never written, but what `read_log` says of one that rested."""
    fee: Decimal
    """In the quote asset; 0 for an order that was not filled."""
    order_id: int
    trade_id: int
    """-1 for an order that was not filled."""
    order_ms: int
    """Event time of the deciding frame, as the client told it."""
    received_ms: int
    """Wall clock, ms since 1970."""
    received_ns: int
    """When its bytes arrived, by `time.monotonic_ns` of the gateway's machine."""
    terms: Terms = Terms.IOC
    trigger_frame: int | None = None
    trigger_sent_ns: int | None = None
    last_sent_ns: int | None = None
    """These three as in `Stamps`."""

    @property
    def stamps(self) -> Stamps:
        """What was known of the market when it arrived."""
        return Stamps(self.trigger_frame, self.trigger_sent_ns, self.last_sent_ns)


class CancelledOrder(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="cancel"
):
    """The line of an order that rested and was taken out of the book."""

    v: Literal[2] = 2
    order_id: int
    cancel_id: Annotated[str, Meta(min_length=1, max_length=36)]
    """The client order id of the request."""
    received_ms: int
    received_ns: int


Line = AcceptedOrder | CancelledOrder


def line_of(accepted: Accepted, received_ns: int, stamps: Stamps = UNSTAMPED) -> AcceptedOrder:
    """What is written of an order that the exchange has taken."""
    order, fill = accepted.order, accepted.fill
    return AcceptedOrder(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        status="FILLED" if fill else "NEW" if order.terms.rests else "EXPIRED",
        fee=fill.fee if fill else Decimal(0),
        order_id=accepted.order_id,
        trade_id=accepted.trade_id,
        order_ms=order.time_ms,
        received_ms=accepted.time_ms,
        received_ns=received_ns,
        terms=order.terms,
        trigger_frame=stamps.trigger_frame,
        trigger_sent_ns=stamps.trigger_sent_ns,
        last_sent_ns=stamps.last_sent_ns,
    )


def cancel_line_of(accepted: Accepted, received_ns: int) -> CancelledOrder:
    """What is written of an order that was cancelled; raises ValueError for one that was not."""
    cancelled = accepted.cancelled
    if cancelled is None:
        raise ValueError(f"order {accepted.order.client_order_id} was not cancelled")
    return CancelledOrder(
        order_id=accepted.order_id,
        cancel_id=cancelled.cancel_id,
        received_ms=cancelled.time_ms,
        received_ns=received_ns,
    )


def accepted_of(line: AcceptedOrder, cancel: CancelledOrder | None = None) -> Accepted:
    """What the exchange knew when it was written, and since it was cancelled if it was."""
    order = Order(
        client_order_id=line.client_order_id,
        symbol=line.symbol,
        side=line.side,
        quantity=line.quantity,
        price=line.price,
        time_ms=line.order_ms,
        terms=line.terms,
    )
    return Accepted(
        order=order,
        order_id=line.order_id,
        trade_id=line.trade_id,
        fill=Fill(order=order, price=line.price, fee=line.fee) if line.status == "FILLED" else None,
        time_ms=line.received_ms,
        cancelled=Cancelled(cancel_id=cancel.cancel_id, time_ms=cancel.received_ms) if cancel else None,
    )


def read_log(path: Path) -> list[AcceptedOrder]:
    """All orders of a log in the order they were accepted, as they stood at its end.

    A last line that a kill cut in half is left out. Raises ResultError, which names the line, for a file that cannot
    be read or is no such log.
    """
    try:
        with path.open("rb") as file:
            lines = [_line_in(path, number, line) for number, line in _whole_lines(path, file)]
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror or error}") from error
    cancelled = {line.order_id for line in lines if isinstance(line, CancelledOrder)}
    orders = [line for line in lines if isinstance(line, AcceptedOrder)]
    return [replace(one, status="CANCELED") if one.order_id in cancelled else one for one in orders]


class OrderLog:
    """The log of one gateway at a time, and an index of all client order ids in it.

    A half-written last line is cut off with a warning: nobody was told that its order was accepted. One thread may
    write while others look orders up. Raises ConfigError for a file that another gateway writes to or that cannot be
    written, ResultError for one that is no such log.
    """

    def __init__(self, path: Path, *, max_orders: int = MAX_ORDERS) -> None:
        self._path = path
        self.max_orders = max_orders
        self._places: dict[str, int] = {}
        """Where in the file an order's line begins."""
        self._numbered = array("q")
        """The same by order id, which counts up from 1."""
        self._cancels: dict[int, int] = {}
        """The same for the line by which an order was cancelled."""
        self._resting: dict[int, AcceptedOrder] = {}
        """While the file is read back."""
        self.last_trade_id = 0
        self._file = _open_alone(path)
        try:
            self._end = self._read_back()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._places)

    @property
    def last_order_id(self) -> int:
        """0 when there is none."""
        return len(self._numbered)

    def open_orders(self) -> list[Accepted]:
        """The orders that rested when the log was opened, oldest first."""
        return [accepted_of(line) for line in self._resting.values()]

    def append(self, lines: Sequence[Line]) -> None:
        """Write the lines and wait until the disk has them; raises OSError, and the log must not be used then."""
        if not lines:
            return
        text = bytearray()
        places = []
        for line in lines:
            places.append(self._end + len(text))
            text += msgspec.json.encode(line) + b"\n"
        left = memoryview(text)
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)
        self._end += len(text)
        for line, place in zip(lines, places, strict=True):
            self._index(line, place)

    def find(self, client_order_id: str) -> Accepted | None:
        """The order as it was accepted, read back from the file; None when it never was."""
        place = self._places.get(client_order_id)
        return None if place is None else self._at(place)

    def numbered(self, order_id: int) -> Accepted | None:
        """The order by the exchange's own id."""
        if not 1 <= order_id <= len(self._numbered):
            return None
        return self._at(self._numbered[order_id - 1])

    def close(self) -> None:
        """Let another gateway write."""
        with contextlib.suppress(OSError):
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _at(self, place: int) -> Accepted:
        order = _order_decoder.decode(self._line_at(place))
        cancel = self._cancels.get(order.order_id)
        return accepted_of(order, None if cancel is None else _cancel_decoder.decode(self._line_at(cancel)))

    def _line_at(self, place: int) -> bytes:
        return os.pread(self._file, _MAX_LINE_BYTES, place).partition(b"\n")[0]

    def _index(self, line: Line, place: int) -> None:
        if isinstance(line, CancelledOrder):
            self._cancels[line.order_id] = place
            return
        self._places[line.client_order_id] = place
        self._numbered.append(place)
        self.last_trade_id = max(self.last_trade_id, line.trade_id)

    def _read_back(self) -> int:
        end = 0
        with open(self._file, "rb", closefd=False) as file:
            for number, text in _whole_lines(self._path, file):
                line = _line_in(self._path, number, text)
                if not self._follows(line):
                    raise ResultError(f"{self._path}, line {number}: an order is missing or stands here twice")
                self._index(line, end)
                end += len(text)
        if (size := os.fstat(self._file).st_size) > end:
            _log.warning("%s: its last line is not whole and was cut off (%d bytes)", self._path, size - end)
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end

    def _follows(self, line: Line) -> bool:
        """Whether the line may stand after those before it."""
        if isinstance(line, CancelledOrder):
            return self._resting.pop(line.order_id, None) is not None
        if line.status == "NEW":
            self._resting[line.order_id] = line
        return line.order_id == len(self._numbered) + 1 and line.client_order_id not in self._places


_order_decoder: Final = msgspec.json.Decoder(AcceptedOrder)
_cancel_decoder: Final = msgspec.json.Decoder(CancelledOrder)
_CANCEL_BEGINS: Final = b'{"kind":"cancel",'


def _whole_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that has its newline, with its number from 1; raises ResultError for one that is too long."""
    number = 1
    while (line := file.readline(_MAX_LINE_BYTES)).endswith(b"\n"):
        yield number, line
        number += 1
    if len(line) == _MAX_LINE_BYTES:
        raise ResultError(f"{path}, line {number}: too long; this is no log of an order gateway")


def _line_in(path: Path, number: int, line: bytes) -> Line:
    decoder = _cancel_decoder if line.startswith(_CANCEL_BEGINS) else _order_decoder
    try:
        return decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise ResultError(f"{path}, line {number}: no accepted order: {error}") from error


def _open_alone(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(path, "", f"cannot be written: {error.strerror or error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _make_entry_durable(path)
    except OSError as error:
        os.close(file)
        problem = "another order gateway writes to it" if isinstance(error, BlockingIOError) else str(error)
        raise ConfigError(path, "", f"{problem}; choose another --log") from error
    return file


def _make_entry_durable(path: Path) -> None:
    """A file that is synced in a folder that is not may be gone after a crash."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
