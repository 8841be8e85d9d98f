"""A generated market: which symbol does what when, as one ordered sequence of frames."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, Final

from harness.recordings.format import MARKET, USER
from harness.recordings.generate.account import Account
from harness.recordings.generate.candle import MINUTE_MS
from harness.recordings.generate.climate import STEP_US, Climate
from harness.recordings.generate.dice import Dice, exponential
from harness.recordings.generate.instrument import Instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.recordings.generate.profile import Profile

    #: A frame that leaves the exchange: microseconds since the start, connection, body.
    Sent = tuple[int, str, bytes]
    Action = Callable[[int], list[tuple[str, bytes]]]

#: Where in each 100 ms a batch of symbols sends its depth events: several share one moment, as on the real wire.
_DEPTH_PHASES_US: Final = (14_000, 36_000, 57_000, 82_000, 93_000)
_KLINE_US: Final = 2_000_000
_MINI_TICKER_US: Final = 1_000_000
#: Gaps are log-normal: 1.45 gives the ratios of quantiles 1 : 6.5 : 28 (p50, p90, p99) that were measured on trades.
_TAKER_DEVIATION: Final = 1.45
_QUOTE_DEVIATION: Final = 1.25
_LONGEST_GAP_US: Final = 20_000_000
#: Snapshots are asked for one after the other once the streams run, as a client does that starts.
_FIRST_SNAPSHOT_US: Final = 600_000
_SNAPSHOT_GAP_US: Final = 130_000


class MarketSimulation:
    """All symbols and one account, driven by a queue of timed actions."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._dice = Dice(profile.seed)
        self._climate = Climate(self._dice)
        weights = profile.weights
        self._instruments = [
            Instrument(
                spec,
                self._dice,
                start_ms=profile.start_ms,
                size=weights[rank] / weights[0],
                raw_trades=rank < profile.raw_trade_symbols,
            )
            for rank, spec in enumerate(profile.symbols)
        ]
        self._account = Account(self._instruments, self._dice)
        self._numbers = count()
        self._queue: list[tuple[int, int, Action]] = []

    def frames(self) -> Iterator[Sent]:
        """Every frame, in the order in which the exchange sends it."""
        self._start()
        end_us = self._profile.duration_ms * 1000
        while self._queue and self._queue[0][0] < end_us:
            now_us, _, action = heapq.heappop(self._queue)
            for connection, body in action(now_us):
                yield now_us, connection, body

    def _at(self, time_us: int, action: Action) -> None:
        heapq.heappush(self._queue, (time_us, next(self._numbers), action))

    def _start(self) -> None:
        self._every(STEP_US, 0, self._step)
        weights = self._profile.weights
        for rank, instrument in enumerate(self._instruments):
            self._start_instrument(rank, instrument, weights[rank])
        if self._profile.account_orders_per_minute:
            gap_us = MINUTE_MS * 1000 // self._profile.account_orders_per_minute
            self._every(gap_us, gap_us // 2, self._order)

    def _start_instrument(self, rank: int, instrument: Instrument, weight: float) -> None:
        phase_us = _DEPTH_PHASES_US[rank % len(_DEPTH_PHASES_US)]
        self._repeat(STEP_US, phase_us, lambda ms: self._depth(instrument, ms))
        self._repeat(_KLINE_US, 100_000 * rank + 51_000, instrument.kline)
        self._repeat(_MINI_TICKER_US, 25_000 * rank + 300_000, instrument.mini_ticker)
        # On the minute, before any trade of the next one: this was queued earlier than they were.
        self._repeat(MINUTE_MS * 1000, MINUTE_MS * 1000, instrument.close_candle)
        self._cluster(weight * self._profile.quotes_per_second, _QUOTE_DEVIATION, lambda _ms: instrument.quote())
        self._cluster(weight * self._profile.takers_per_second, _TAKER_DEVIATION, instrument.taker)
        path = f"rest:/api/v3/depth?symbol={instrument.spec.symbol}&limit=1000"
        self._at(_FIRST_SNAPSHOT_US + _SNAPSHOT_GAP_US * rank, lambda _now: [(path, instrument.snapshot())])

    def _ms(self, now_us: int) -> int:
        return self._profile.start_ms + now_us // 1000

    def _repeat(self, every_us: int, first_us: int, act: Callable[[int], list[bytes]]) -> None:
        self._every(every_us, first_us, lambda now_us: _on_market(act(self._ms(now_us))))

    def _every(self, every_us: int, first_us: int, action: Action) -> None:
        def again(now_us: int) -> list[tuple[str, bytes]]:
            self._at(now_us + every_us, again)
            return action(now_us)

        self._at(first_us, again)

    def _cluster(self, per_second: float, deviation: float, act: Callable[[int], list[bytes]]) -> None:
        """Act at log-normal gaps, shorter when the market is busy; the mean gap in calm times is 1 / `per_second`."""
        median_us = 1_000_000 / per_second / exponential(deviation * deviation / 2)

        def again(now_us: int) -> list[tuple[str, bytes]]:
            gap_us = self._dice.spread(median_us, deviation) * 1000 // self._climate.activity
            self._at(now_us + 1 + min(gap_us, _LONGEST_GAP_US), again)
            return _on_market(act(self._ms(now_us)))

        self._at(self._dice.below(2 * int(1_000_000 / per_second)), again)

    def _step(self, _now_us: int) -> list[tuple[str, bytes]]:
        self._climate.step()
        return []

    def _depth(self, instrument: Instrument, ms: int) -> list[bytes]:
        instrument.step(self._climate.common)
        return instrument.depth(ms)

    def _order(self, now_us: int) -> list[tuple[str, bytes]]:
        frames, cancel = self._account.order(self._ms(now_us))
        if cancel is not None:
            later_us = now_us + 500_000 + self._dice.below(6_000_000)
            self._at(later_us, lambda then_us: [(USER, body) for body in cancel(self._ms(then_us))])
        return frames


def _on_market(bodies: list[bytes]) -> list[tuple[str, bytes]]:
    return [(MARKET, body) for body in bodies]
