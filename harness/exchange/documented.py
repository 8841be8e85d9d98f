"""Names and words that Binance documents in payloads (BINANCE.md, sections 5 to 8), to notice new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _by_place(names: str) -> dict[str, frozenset[str]]:
    """`a a.B a.B.wb` as what may stand at each place: at the top "", in `a`, in `a.B`."""
    places: dict[str, set[str]] = {"": set()}
    for path in names.split():
        place, _, name = path.rpartition(".")
        places.setdefault(place, set()).add(name)
    return {place: frozenset(known) for place, known in places.items()}


_KLINE = "k.t k.T k.s k.i k.f k.L k.o k.c k.h k.l k.v k.n k.x k.q k.V k.Q k.B"
#: By kind of stream or event, names by place; `k.t` stands within `k`, be that an object or a list of objects.
_NAMES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    kind: _by_place(names)
    for kind, names in {
        # Market. `ps` and `st` came to USD-M in 2026; `a` and `b` of a trade are order ids of former years.
        "aggTrade": "e E a s p q nq f l T m M ps st",
        "trade": "e E T s t p q a b X m M ps st",
        "bookTicker": "e u s ps b B a A T E st",
        "kline": f"e E s k ps st {_KLINE}",
        "miniTicker": "e E s ps c o h l v q st",
        "depth": "e E T s ps U u pu b a st",
        "markPrice": "e E s p i P r ap T ps st",
        # Spot account.
        "executionReport": (
            "e E s c S o f q p P F g C x X r i l z L n N T t v I w m M O Z Y Q W V d D j J A B u U Cs pl pL pY b a k uS"
            " gP gOT gOV gp eR"
        ),
        "outboundAccountPosition": "e E u B B.a B.f B.l",
        "balanceUpdate": "e E a d T",
        "externalLockUpdate": "e E a d T",
        "listStatus": "e E s g c l L r C T O O.s O.i O.c",
        "eventStreamTerminated": "e E",
        "serverShutdown": "e E",
        # USD-M account.
        "ORDER_TRADE_UPDATE": (
            "e E T o o.s o.c o.S o.o o.f o.q o.p o.ap o.sp o.x o.X o.i o.M o.l o.z o.L o.N o.n o.T o.t o.b o.a o.m o.R"
            " o.wt o.ot o.ps o.cp o.AP o.cr o.pP o.si o.ss o.rp o.V o.pm o.gtd o.er"
        ),
        "ACCOUNT_UPDATE": (
            "e E T a a.m a.B a.P a.S a.B.a a.B.wb a.B.cw a.B.bc"
            " a.P.s a.P.pa a.P.ep a.P.bep a.P.cr a.P.up a.P.mt a.P.iw a.P.ps"
        ),
        "MARGIN_CALL": "e E cw p p.s p.ps p.pa p.mt p.iw p.mp p.up p.mm",
        "ACCOUNT_CONFIG_UPDATE": "e E T ac ac.s ac.l ai ai.j",
        "TRADE_LITE": "e E T s q p m c S L l t i",
        "listenKeyExpired": "e E listenKey",
    }.items()
}

_SIDES: Final = _set("BUY SELL")
_EXECUTIONS: Final = _set("NEW CANCELED REPLACED REJECTED TRADE EXPIRED TRADE_PREVENTION")
_STATUSES: Final = _set(
    "NEW PENDING_NEW PARTIALLY_FILLED FILLED CANCELED PENDING_CANCEL REJECTED EXPIRED EXPIRED_IN_MATCH"
)
#: Words by kind of event and field; a field that is not here may say anything.
_WORDS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "executionReport": {
        "S": _SIDES,
        "x": _EXECUTIONS,
        "X": _STATUSES,
        "r": _set(
            "NONE INSUFFICIENT_BALANCES STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY WOULD_MATCH_IMMEDIATELY OCO_BAD_PRICES"
        ),
    },
    "ORDER_TRADE_UPDATE": {
        "o.S": _SIDES,
        # Liquidations and changes of an order are told as executions of their own.
        "o.x": _EXECUTIONS | _set("CALCULATED AMENDMENT"),
        "o.X": _STATUSES,
        "o.ps": _set("BOTH LONG SHORT"),
    },
    "ACCOUNT_UPDATE": {
        "a.m": _set(
            "DEPOSIT WITHDRAW ORDER FUNDING_FEE WITHDRAW_REJECT ADJUSTMENT INSURANCE_CLEAR ADMIN_DEPOSIT ADMIN_WITHDRAW"
            " MARGIN_TRANSFER MARGIN_TYPE_CHANGE ASSET_TRANSFER OPTIONS_PREMIUM_FEE OPTIONS_SETTLE_PROFIT AUTO_EXCHANGE"
            " COIN_SWAP_DEPOSIT COIN_SWAP_WITHDRAW"
        ),
    },
}
_NO_WORDS: Final[Mapping[str, frozenset[str]]] = {}


def strangers(kind: str, payload: Mapping[str, Any]) -> list[str]:
    """What the payload has and nobody documented: names as `kind.name`, words as `kind.name=WORD`.

    `kind` is that of a stream ("aggTrade") or the account event's own; of one that is not known here nothing is told.
    Below a name that is not documented nobody looks, and a sentence is no word, whatever it says.
    """
    found: list[str] = []
    words = _WORDS.get(kind, _NO_WORDS)
    for place, names in _NAMES.get(kind, {}).items():
        for part in _parts(payload, place):
            if not part.keys() <= names:
                prefix = f"{kind}.{place}." if place else f"{kind}."
                found += [f"{prefix}{name}" for name in part if name not in names]
    for field, known in words.items():
        place, _, name = field.rpartition(".")
        for part in _parts(payload, place):
            word = part.get(name)
            if isinstance(word, str) and word not in known and word.isidentifier():
                found.append(f"{kind}.{field}={word}")
    return found


def _parts(payload: Mapping[str, Any], place: str) -> list[Mapping[str, Any]]:
    """The objects that stand at a place, in lists or not."""
    parts = [payload]
    for name in place.split(".") if place else ():
        inner = [part.get(name) for part in parts]
        flat = [each for one in inner for each in (one if isinstance(one, list) else [one])]
        parts = [each for each in flat if isinstance(each, dict)]
    return parts
