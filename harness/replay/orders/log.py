"""The orders that a gateway accepted, one JSON line each, on the disk before the client is told."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from array import array
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

from harness.errors import ConfigError, ResultError
from harness.exchange.answers import state_of
from harness.exchange.matching import Accepted
from harness.exchange.orders import Fill, Order, Side

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
    """One line of the log. Versions: 1 - first."""

    v: Literal[1] = 1
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    """Of the fill, which is the order's own limit."""
    status: Literal["FILLED", "EXPIRED"]
    fee: Decimal
    """In the quote asset; 0 for an order that expired."""
    order_id: int
    trade_id: int
    """-1 for an order that expired."""
    order_ms: int
    """Event time of the deciding frame, as the client told it."""
    received_ms: int
    """Wall clock, ms since 1970."""
    received_ns: int
    """`time.monotonic_ns` of the gateway's machine."""


def line_of(accepted: Accepted, received_ns: int) -> AcceptedOrder:
    """What is written of an order that the exchange has taken."""
    order, fill = accepted.order, accepted.fill
    return AcceptedOrder(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        status="FILLED" if state_of(accepted) == "FILLED" else "EXPIRED",
        fee=fill.fee if fill else Decimal(0),
        order_id=accepted.order_id,
        trade_id=accepted.trade_id,
        order_ms=order.time_ms,
        received_ms=accepted.time_ms,
        received_ns=received_ns,
    )


def accepted_of(line: AcceptedOrder) -> Accepted:
    """What the exchange knew when it was written."""
    order = Order(
        client_order_id=line.client_order_id,
        symbol=line.symbol,
        side=line.side,
        quantity=line.quantity,
        price=line.price,
        time_ms=line.order_ms,
    )
    return Accepted(
        order=order,
        order_id=line.order_id,
        trade_id=line.trade_id,
        fill=Fill(order=order, price=line.price, fee=line.fee) if line.status == "FILLED" else None,
        time_ms=line.received_ms,
    )


def read_log(path: Path) -> list[AcceptedOrder]:
    """All orders of a log in the order they were accepted; a last line that a kill cut in half is left out.

    Raises ResultError, which names the line, for a file that cannot be read or is no such log.
    """
    try:
        with path.open("rb") as file:
            return [_order_in(path, number, line) for number, line in _whole_lines(path, file)]
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror or error}") from error


class OrderLog:
    """The log of one gateway at a time, and an index of all client order ids in it.

    A half-written last line is cut off with a warning: nobody was told that its order was accepted. Raises ConfigError
    for a file that another gateway writes to or that cannot be written, ResultError for one that is no such log.
    """

    def __init__(self, path: Path, *, max_orders: int = MAX_ORDERS) -> None:
        self._path = path
        self.max_orders = max_orders
        self._places: dict[str, int] = {}
        """Where in the file an order's line begins."""
        self._numbered = array("q")
        """The same by order id, which counts up from 1."""
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

    def append(self, orders: Sequence[AcceptedOrder]) -> None:
        """Write the orders and wait until the disk has them; raises OSError, and the log must not be used then."""
        if not orders:
            return
        text = bytearray()
        for order in orders:
            self._index(order, self._end + len(text))
            text += msgspec.json.encode(order) + b"\n"
        self._end += len(text)
        left = memoryview(text)
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)

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
        line, _, _ = os.pread(self._file, _MAX_LINE_BYTES, place).partition(b"\n")
        return accepted_of(_decoder.decode(line))

    def _index(self, order: AcceptedOrder, place: int) -> None:
        self._places[order.client_order_id] = place
        self._numbered.append(place)
        self.last_trade_id = max(self.last_trade_id, order.trade_id)

    def _read_back(self) -> int:
        end = 0
        with open(self._file, "rb", closefd=False) as file:
            for number, line in _whole_lines(self._path, file):
                order = _order_in(self._path, number, line)
                if order.order_id != number or order.client_order_id in self._places:
                    raise ResultError(f"{self._path}, line {number}: an order is missing or stands here twice")
                self._index(order, end)
                end += len(line)
        if (size := os.fstat(self._file).st_size) > end:
            _log.warning("%s: its last line is not whole and was cut off (%d bytes)", self._path, size - end)
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end


_decoder: Final = msgspec.json.Decoder(AcceptedOrder)


def _whole_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that has its newline, with its number from 1; raises ResultError for one that is too long."""
    number = 1
    while (line := file.readline(_MAX_LINE_BYTES)).endswith(b"\n"):
        yield number, line
        number += 1
    if len(line) == _MAX_LINE_BYTES:
        raise ResultError(f"{path}, line {number}: too long; this is no log of an order gateway")


def _order_in(path: Path, number: int, line: bytes) -> AcceptedOrder:
    try:
        return _decoder.decode(line)
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
