"""binance-sdk-spot, the official one. See binance_sdk.py for what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from binance_common.configuration import ConfigurationWebSocketStreams
from binance_sdk_spot.spot import Spot

from drivers.binance_sdk import BinanceSdk
from drivers.driving import main

if TYPE_CHECKING:
    from collections.abc import Sequence


class BinanceSdkSpot(BinanceSdk):
    distributions = ("binance-sdk-spot", "binance-common")

    def make(self) -> Any:
        return Spot(config_ws_streams=ConfigurationWebSocketStreams(stream_url=self.settings.streams)).websocket_streams

    def groups(self, streams: Sequence[str]) -> dict[str | None, list[str]]:
        return {None: list(streams)}


if __name__ == "__main__":
    main(BinanceSdkSpot)
