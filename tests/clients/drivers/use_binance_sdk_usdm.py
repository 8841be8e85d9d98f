"""binance-sdk-derivatives-trading-usds-futures, the official one. See binance_sdk.py for what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from binance_common.configuration import ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

from drivers.binance_sdk import BinanceSdk
from drivers.driving import main, route_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class BinanceSdkUsdm(BinanceSdk):
    distributions = ("binance-sdk-derivatives-trading-usds-futures", "binance-common")

    def make(self) -> Any:
        return DerivativesTradingUsdsFutures(
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=self.settings.streams)
        ).websocket_streams

    def groups(self, streams: Sequence[str]) -> dict[str | None, list[str]]:
        routes: dict[str | None, list[str]] = {}
        for stream in streams:
            routes.setdefault(route_of(stream), []).append(stream)
        return routes


if __name__ == "__main__":
    main(BinanceSdkUsdm)
