"""Which clients are tried, on which recording, and through which rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What a bot takes, and what every client of the table can ask for.
CHANNELS: Final = ("aggTrade", "bookTicker", "depth@100ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One row of the table."""

    name: str
    driver: str
    """A module in drivers/."""
    requirements: str
    """A file in requirements/: one environment serves all clients that name the same file."""
    market: str
    """`spot` or `usdm`."""
    tls: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    remembers_all: bool = False
    """After a cut it asks again for the streams that it was created with, those given up since among them."""
    needs: str = ""
    """What it needs besides its URLs, in a few words; docs/clients.md has the rest."""


CLIENTS: Final = (
    Client(
        name="python-binance",
        driver="use_python_binance",
        requirements="python-binance",
        market="spot",
        needs="ping and time; max_queue_size",
    ),
    Client(
        name="python-binance-usdm",
        driver="use_python_binance",
        requirements="python-binance",
        market="usdm",
        needs="ping and time; max_queue_size",
    ),
    Client(
        name="unicorn-websockets",
        driver="use_unicorn",
        requirements="unicorn",
        market="spot",
        environ={"DRIVER_LIBRARY": "websockets"},
        remembers_all=True,
        needs="warn_on_update=False",
    ),
    Client(
        name="unicorn-picows",
        driver="use_unicorn",
        requirements="unicorn",
        market="spot",
        environ={"DRIVER_LIBRARY": "picows"},
        remembers_all=True,
        needs="warn_on_update=False",
    ),
    Client(
        name="unicorn-websockets-usdm",
        driver="use_unicorn",
        requirements="unicorn",
        market="usdm",
        environ={"DRIVER_LIBRARY": "websockets"},
        remembers_all=True,
        needs="warn_on_update=False; a stream a route",
    ),
    Client(
        name="unicorn-picows-usdm",
        driver="use_unicorn",
        requirements="unicorn",
        market="usdm",
        environ={"DRIVER_LIBRARY": "picows"},
        remembers_all=True,
        needs="warn_on_update=False; a stream a route",
    ),
    Client(
        name="binance-sdk-spot",
        driver="use_binance_sdk_spot",
        requirements="binance-sdk-spot",
        market="spot",
        needs="to be reopened after a cut",
    ),
    Client(
        name="binance-sdk-usdm",
        driver="use_binance_sdk_usdm",
        requirements="binance-sdk-usdm",
        market="usdm",
        needs="to be reopened after a cut",
    ),
    Client(
        name="ccxt.pro",
        driver="use_ccxt",
        requirements="ccxt",
        market="spot",
        needs="exchangeInfo, depth; one market type",
    ),
    Client(
        name="ccxt.pro-usdm",
        driver="use_ccxt",
        requirements="ccxt",
        market="usdm",
        needs="exchangeInfo, depth; one market type",
    ),
    Client(
        name="cryptofeed",
        driver="use_cryptofeed",
        requirements="cryptofeed",
        market="spot",
        tls=True,
        needs="TLS, SSL_CERT_FILE; exchangeInfo, depth",
    ),
    Client(
        name="cryptofeed-usdm",
        driver="use_cryptofeed",
        requirements="cryptofeed",
        market="usdm",
        tls=True,
        needs="TLS, SSL_CERT_FILE; exchangeInfo, depth",
    ),
    Client(
        name="picows",
        driver="use_picows",
        requirements="picows",
        market="spot",
        needs="nothing; it does not come back by itself",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One thing that the driver is asked to do, and what must be subscribed when it was done."""

    name: str
    ask: str
    """What the driver is asked; `recover` after the connection was cut."""
    streams: tuple[str, ...]
    """Those that the driver is asked about."""
    wanted: frozenset[str]
    """Those that must be subscribed afterwards."""
    cut: bool = False
    """The connections are cut first."""
    closed: bool = False
    """The client closes all connections first."""


def rounds(symbols: Sequence[str], *, remembers_all: bool = False) -> tuple[Round, ...]:
    """Open, subscribe to more, give some up, be cut off, close and open again.

    Two symbols are needed, and asked for as a whole: a client that subscribes in products of symbols and channels can
    do no other.
    """
    first, second = (tuple(f"{symbol}@{channel}" for channel in CHANNELS) for symbol in symbols[:2])
    both = first + second
    after_cut = both if remembers_all else second
    return (
        Round(name="opened", ask="open", streams=first, wanted=frozenset(first)),
        Round(name="subscribed", ask="subscribe", streams=second, wanted=frozenset(both)),
        Round(name="unsubscribed", ask="unsubscribe", streams=first, wanted=frozenset(second)),
        Round(name="cut", ask="recover", streams=second, wanted=frozenset(after_cut), cut=True),
        Round(name="again", ask="open", streams=both, wanted=frozenset(both), closed=True),
    )
