"""Whole recordings: all codecs decide the same, and the bot really trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.bot.settings import BotSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recordings.format import Recording
    from tests.bot.conftest import Traded

    TradeOn = Callable[..., Traded]

CODECS = ("json", "orjson", "msgspec")


@pytest.fixture(scope="module")
def reference(shipped: Recording, shipped_frames: list[bytes], trade_on: TradeOn) -> tuple[Traded, str]:
    traded = trade_on(shipped_frames, codec="json", filters=shipped.header.filters)
    return traded, traded.desk.finish()


def test_the_bot_really_trades_on_the_shipped_recording(reference: tuple[Traded, str]) -> None:
    traded, _ = reference
    assert traded.desk.ledger.trades_closed >= 200
    assert traded.desk.digest.decisions >= BotSettings().minimum_decisions
    assert len([trade for trade in traded.saved if trade.closed_ms is not None]) == traded.desk.ledger.trades_closed
    assert len({trade.trade_id for trade in traded.saved}) == traded.desk.ledger.trades_opened
    assert {trade.reason for trade in traded.saved if trade.reason} >= {"reversal", "time-out"}


def test_every_quantity_and_price_of_the_shipped_recording_keeps_to_its_symbol_s_filters(
    reference: tuple[Traded, str], shipped: Recording
) -> None:
    for trade in reference[0].saved:
        filters = shipped.header.filters[trade.symbol]
        assert trade.quantity > 0
        assert trade.quantity % filters.lot_step == 0
        assert trade.entry_price % filters.tick_size == 0
        assert trade.quantity * trade.entry_price >= filters.minimum_notional
        if trade.exit_price is not None and trade.pnl is not None:
            assert trade.exit_price % filters.tick_size == 0
            assert trade.pnl == trade.quantity * trade.exit_price - trade.quantity * trade.entry_price - trade.fees


def test_all_codecs_decide_the_same_on_the_shipped_recording(
    codec_name: str, reference: tuple[Traded, str], shipped: Recording, shipped_frames: list[bytes], trade_on: TradeOn
) -> None:
    traded = trade_on(shipped_frames, codec=codec_name, filters=shipped.header.filters)
    assert traded.desk.finish() == reference[1]
    assert traded.desk.digest.trail == reference[0].desk.digest.trail
    assert traded.saved == reference[0].saved


@pytest.mark.shared
def test_all_codecs_decide_the_same_on_every_real_recording(
    codec_name: str, real_frames: dict[str, list[bytes]], trade_on: TradeOn
) -> None:
    for name, frames in real_frames.items():
        expected, found = trade_on(frames, codec="json"), trade_on(frames, codec=codec_name)
        assert found.desk.finish() == expected.desk.finish(), name
        assert found.desk.digest.trail == expected.desk.digest.trail
        assert found.saved == expected.saved
        assert len(found.desk.digest.trail) == len(frames) // 1_000 + 1
        assert found.desk.market.prices_ignored == 0


@pytest.mark.shared
@pytest.mark.parametrize(("name", "closed"), [("spot-10-symbols-2021-04", 20), ("usdm-5-symbols-2021-04", 20)])
def test_the_bot_trades_on_the_real_recordings_of_two_minutes(
    name: str, closed: int, real_frames: dict[str, list[bytes]], trade_on: TradeOn
) -> None:
    traded = trade_on(real_frames[name])
    assert traded.desk.ledger.trades_closed >= closed
    assert traded.desk.digest.decisions >= BotSettings().minimum_decisions


@pytest.mark.shared
def test_the_sequence_of_real_books_is_whole_by_the_rule_of_each_market(
    real_frames: dict[str, list[bytes]], trade_on: TradeOn
) -> None:
    for frames in real_frames.values():
        states = trade_on(frames).desk.market.symbols.values()
        assert [state.symbol for state in states if state.depth_gaps] == []
        assert any(state.depth_id for state in states)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["spot-10-symbols-2021-04", "usdm-5-symbols-2021-04"])
def test_a_dropped_depth_frame_is_one_gap_on_either_market(
    name: str, real_frames: dict[str, list[bytes]], trade_on: TradeOn
) -> None:
    frames = real_frames[name]
    depth = [number for number, frame in enumerate(frames) if b"@depth" in frame[:60]]
    dropped = depth[len(depth) // 2]
    states = trade_on(frames[:dropped] + frames[dropped + 1 :]).desk.market.symbols.values()
    assert sum(state.depth_gaps for state in states) == 1
