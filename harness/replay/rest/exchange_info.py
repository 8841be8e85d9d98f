"""`exchangeInfo` in the shape of 2026, of the symbols of a recording.

Fields and their order: rest-api.md (spot), Exchange-Information (USD-M). Steps and the minimum notional are the
recording's; bounds, limits of orders and percentages are usual values of the exchange, the same for every symbol, and
nothing in the replay holds orders to them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from harness.replay.rest.listings import Listing

_LARGEST: Final = Decimal(900_000_000_000)
#: What the exchange writes for a contract that never ends; ccxt knows it by this number.
_NEVER_MS: Final = 4_133_404_800_000
_STP: Final = ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"]
#: What the simulated exchange takes.
_SPOT_ORDERS: Final = ["LIMIT", "LIMIT_MAKER"]
_USDM_ORDERS: Final = [
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
]  # fmt: skip


def spot_symbol(listing: Listing) -> dict[str, Any]:
    """One symbol of `GET /api/v3/exchangeInfo`."""
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _SPOT_ORDERS,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _spot_filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": _STP,
    }


def _spot_filters(listing: Listing) -> list[dict[str, Any]]:
    tick, step = _eight(listing.filters.tick_size), _eight(listing.filters.lot_step)
    largest = _eight(_LARGEST)
    return [
        # First, for some clients read the tick from the first filter whatever it is.
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": largest, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": largest, "stepSize": step},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": _eight(Decimal(0)),
            "maxQty": largest,
            "stepSize": _eight(Decimal(0)),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": _eight(listing.filters.minimum_notional),
            "applyMinToMarket": True,
            "maxNotional": largest,
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def usdm_symbol(listing: Listing) -> dict[str, Any]:
    """One symbol of `GET /fapi/v1/exchangeInfo`; a name with a date (`BTCUSDT_260327`) is a quarterly contract."""
    filters = listing.filters
    pair, _, expiry = listing.symbol.partition("_")
    delivery_ms = _delivery_ms(expiry)
    return {
        "symbol": listing.symbol,
        "pair": pair,
        "contractType": "PERPETUAL" if delivery_ms is None else "CURRENT_QUARTER",
        "deliveryDate": _NEVER_MS if delivery_ms is None else delivery_ms,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.base if listing.quote == "USD" else listing.quote,
        "pricePrecision": _decimals(filters.tick_size),
        "quantityPrecision": _decimals(filters.lot_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": _usdm_filters(listing),
        "orderTypes": _USDM_ORDERS,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY", "DCA"],
    }


def _usdm_filters(listing: Listing) -> list[dict[str, Any]]:
    tick, step = _plain(listing.filters.tick_size), _plain(listing.filters.lot_step)
    largest = _plain(_LARGEST)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": largest, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": largest, "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": largest, "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": _plain(listing.filters.minimum_notional)},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
    ]


def spot_info(symbols: list[Any], server_ms: int) -> dict[str, Any]:
    """The whole answer of spot around its symbols."""
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        "rateLimits": [
            _rate("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            _rate("ORDERS", "SECOND", 10, 100),
            _rate("ORDERS", "DAY", 1, 200_000),
            _rate("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ],
        "exchangeFilters": [],
        "symbols": symbols,
    }


def futures_info(symbols: list[Any], server_ms: int, assets: list[str], kind: str = "U_MARGINED") -> dict[str, Any]:
    """The whole answer of USD-M (or, without symbols, of COIN-M) around its symbols."""
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        "futuresType": kind,
        "rateLimits": [
            _rate("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
            _rate("ORDERS", "MINUTE", 1, 1_200),
            _rate("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in assets],
        "symbols": symbols,
    }


def options_info(server_ms: int) -> dict[str, Any]:
    """The answer of the options market, which no recording holds."""
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        "optionContracts": [],
        "optionAssets": [],
        "optionSymbols": [],
        "rateLimits": [],
    }


def _rate(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _eight(value: Decimal) -> str:
    return f"{value:.8f}"


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _delivery_ms(expiry: str) -> int | None:
    """08:00 UTC of a date written YYMMDD; None for what is none."""
    try:
        day = datetime.strptime(expiry, "%y%m%d").replace(tzinfo=UTC, hour=8)
    except ValueError:
        return None
    return int(day.timestamp() * 1_000)
