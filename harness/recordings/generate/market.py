"""A generated market: which symbol does what when, as one ordered sequence of frames."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from harness.recordings.format import USER
from harness.recordings.generate.accounts import SpotLedger, Trader, UsdmLedger
from harness.recordings.generate.candle import MINUTE_MS
from harness.recordings.generate.climate import STEP_US, Climate
from harness.recordings.generate.contract import Contract
from harness.recordings.generate.dice import Dice, exponential
from harness.recordings.generate.ids import OwnIds, SharedIds, UpdateIds
from harness.recordings.generate.instrument import Instrument
from harness.recordings.generate.rhythm import rhythm_of
from harness.recordings.generate.schedule import Schedule, on_market
from harness.recordings.generate.symbols import per_second, shares_of, symbols_of
from harness.recordings.generate.tape import Tape
from harness.recordings.generate.wire.spot import SpotWire
from harness.recordings.generate.wire.usdm import UsdmWire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.recordings.generate.accounts import Ledger
    from harness.recordings.generate.profile import Profile, SymbolProfile
    from harness.recordings.generate.schedule import MarketAction

#: Where in each 100 ms a batch of symbols sends its depth events: several share one moment, as on the real wire.
_DEPTH_PHASES_MS: Final = (14, 64, 37, 87, 25, 75, 4, 52, 45, 95)
_BATCH: Final = 10
#: Gaps are log-normal: 1.45 gives the ratios of quantiles 1 : 6.5 : 28 (p50, p90, p99) that were measured on trades.
_TAKER_DEVIATION: Final = 1.45
_QUOTE_DEVIATION: Final = 1.25
_FORCED_DEVIATION: Final = 1.4
_LONGEST_GAP_US: Final = 60_000_000
#: USD-M: 100 ms and a log-normal rest, which gives the measured 115, 186 and 400 ms (p50, p90, p99).
_OWN_GAP_US: Final = (11_000, 1.1)
_LONGEST_OWN_GAP_US: Final = 900_000
#: Snapshots are asked for one after the other once the streams run, as a client does that starts.
_FIRST_SNAPSHOT_US: Final = 600_000
_SNAPSHOT_GAP_US: Final = 130_000
_SECOND_US: Final = 1_000_000
#: A shock sets off trades and quotes of most symbols within this time.
_SHOCK_US: Final = 60_000


class MarketSimulation:
    """All symbols and one account."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._dice = Dice(profile.seed)
        self._schedule = Schedule(profile.start_ms)
        self._climate = Climate(self._dice)
        self._rhythm = rhythm_of(profile.market)
        self._shares = shares_of(profile)
        self._contracts: list[Contract] = []
        self._shared_ids = SharedIds(self._schedule, self._dice, 11_700_000_000_000 + self._dice.below(1_000_000_000))
        self._instruments = [self._listed(rank, spec) for rank, spec in enumerate(symbols_of(profile))]
        ledger: Ledger = (
            UsdmLedger(self._instruments) if profile.market == "usdm" else SpotLedger(self._instruments, self._dice)
        )
        self._trader = Trader(self._instruments, self._dice, ledger)

    def frames(self) -> Iterator[tuple[int, str, bytes]]:
        """Every frame in the order in which the exchange sends it: microseconds since the start, connection, body."""
        self._start()
        return self._schedule.run(self._profile.duration_ms * 1_000)

    def _listed(self, rank: int, spec: SymbolProfile) -> Instrument:
        profile, share = self._profile, self._shares[rank]
        kinds = frozenset(profile.kinds_of(rank))
        usdm = profile.market == "usdm"
        wire = UsdmWire(spec) if usdm else SpotWire(spec)
        ids: UpdateIds = self._shared_ids if usdm else OwnIds(1_000_000_000 + self._dice.below(80_000_000_000))
        instrument = Instrument(
            spec,
            self._dice,
            wire=wire,
            ids=ids,
            tape=Tape(spec, self._dice, self._schedule, wire=wire, rhythm=self._rhythm, kinds=kinds),
            rhythm=self._rhythm,
            size=share / self._shares[0],
            quotes_per_second=per_second(share, profile.quotes_per_second * profile.rate),
            volatility=profile.volatility,
            book_levels=profile.book_levels,
            kinds=kinds,
        )
        if isinstance(wire, UsdmWire):
            self._contracts.append(Contract(instrument, self._dice, self._schedule, wire=wire, kinds=kinds))
        return instrument

    def _start(self) -> None:
        self._schedule.every(STEP_US, 0, self._step)
        self._start_depth()
        for rank, instrument in enumerate(self._instruments):
            self._start_instrument(rank, instrument)
        if self._contracts:
            self._start_contracts()
        if self._profile.account_orders_per_minute:
            gap_us = MINUTE_MS * 1_000 // self._profile.account_orders_per_minute
            self._schedule.every(gap_us, gap_us // 2, self._order)

    def _start_depth(self) -> None:
        if not self._rhythm.depth_grid:
            for rank, instrument in enumerate(self._instruments):
                self._schedule.series(17_000 * rank % STEP_US, self._own_gap_us, self._depth([instrument]))
            return
        # Symbols go to the batches in turns, so that each has busy ones and quiet ones.
        batches = min(len(_DEPTH_PHASES_MS), -(-len(self._instruments) // _BATCH))
        for batch in range(batches):
            act = self._depth(self._instruments[batch::batches])
            self._schedule.every(STEP_US, _DEPTH_PHASES_MS[batch] * 1_000, self._jittered(act))

    def _depth(self, instruments: list[Instrument]) -> Callable[[int], list[tuple[str, bytes]]]:
        def events(ms: int) -> list[bytes]:
            return [body for instrument in instruments for body in instrument.depth(ms, self._climate.activity)]

        return lambda ms: list(on_market(events)(ms))

    def _jittered(self, act: Callable[[int], list[tuple[str, bytes]]]) -> Callable[[int], list[tuple[str, bytes]]]:
        """On the grid, but one in thirteen a millisecond late (measured on one stream of 2025)."""

        def later(ms: int) -> list[tuple[str, bytes]]:
            if not self._dice.chance(75):
                return act(ms)
            self._schedule.at(self._schedule.now_us + (2_000 if self._dice.chance(70) else 1_000), act)
            return []

        return later

    def _own_gap_us(self) -> int:
        median_us, deviation = _OWN_GAP_US
        return STEP_US + min(_LONGEST_OWN_GAP_US, self._dice.spread(median_us, deviation))

    def _start_instrument(self, rank: int, instrument: Instrument) -> None:
        kinds = self._profile.kinds_of(rank)
        tape = instrument.tape
        if "kline_1m" in kinds:
            self._repeat(self._rhythm.kline_us, (100_000 * rank + 51_000) % self._rhythm.kline_us, tape.klines)
            # On the minute, before any trade of the next one: this was queued earlier than they were.
            self._repeat(MINUTE_MS * 1_000, MINUTE_MS * 1_000, tape.minutes)
        if "kline_1s" in kinds:
            self._repeat(_SECOND_US, _SECOND_US, tape.seconds)
        if "miniTicker" in kinds or "ticker" in kinds:
            self._repeat(self._rhythm.ticker_us, (25_000 * rank + 300_000) % self._rhythm.ticker_us, instrument.tickers)
        share, rate = self._shares[rank], self._profile.rate
        self._cluster(per_second(share, self._profile.quotes_per_second * rate), _QUOTE_DEVIATION, instrument.quote)
        self._cluster(per_second(share, self._profile.takers_per_second * rate), _TAKER_DEVIATION, instrument.taker)
        if "depth@100ms" in kinds:
            self._schedule.at(self._snapshot_us(rank), lambda ms: [_rest(*instrument.snapshot(ms))])

    def _snapshot_us(self, rank: int) -> int:
        """All within the first half of the recording, however many there are."""
        half_us = self._profile.duration_ms * 500
        gap_us = min(_SNAPSHOT_GAP_US, half_us // (2 * len(self._instruments)))
        return min(_FIRST_SNAPSHOT_US, half_us // 2) + gap_us * rank

    def _start_contracts(self) -> None:
        for kind, period_us in (("markPrice@1s", _SECOND_US), ("markPrice", 3 * _SECOND_US)):
            if any(kind in self._profile.kinds_of(rank) for rank in range(len(self._contracts))):
                self._repeat(period_us, period_us, self._marks(kind))
        if self._profile.liquidations_per_minute:
            self._cluster(self._profile.liquidations_per_minute / 60, _FORCED_DEVIATION, self._liquidate)

    def _marks(self, kind: str) -> MarketAction:
        return lambda ms: [body for contract in self._contracts for body in contract.marks(ms, kind)]

    def _liquidate(self, ms: int) -> list[bytes]:
        """One position or a few in a row, of a symbol drawn by its activity."""
        bounds = list(accumulate(self._shares))
        rank = bisect_right(bounds, self._dice.below(1_000_000) / 1_000_000)
        contract = self._contracts[min(rank, len(self._contracts) - 1)]
        for number in range(1, min(6, self._dice.spread(1.2, 0.8))):
            self._schedule.after(number * 90_000 + self._dice.below(60_000), contract.liquidate)
        return contract.liquidate(ms)

    def _repeat(self, every_us: int, first_us: int, act: MarketAction) -> None:
        self._schedule.every(every_us, first_us, on_market(act))

    def _cluster(self, rate: float, deviation: float, act: MarketAction) -> None:
        """Act at log-normal gaps, shorter when the market is busy; so many times a second in calm times."""
        median_us = 1_000_000 / rate / exponential(deviation * deviation / 2)

        def gap_us() -> int:
            drawn = self._dice.spread(median_us, deviation) * 1_000 // self._climate.activity
            return 1 + min(drawn, _LONGEST_GAP_US)

        self._schedule.series(self._dice.below(2 * int(1_000_000 / rate)), gap_us, on_market(act))

    def _step(self, _ms: int) -> list[tuple[str, bytes]]:
        self._climate.step()
        for instrument in self._instruments:
            instrument.step(self._climate.common)
        if self._climate.shock:
            self._shock()
        return []

    def _shock(self) -> None:
        """News: most of the busy symbols are traded and quoted anew within some milliseconds."""
        fewest, more = self._rhythm.shock_quotes
        for share, instrument in zip(self._shares, self._instruments, strict=True):
            if not self._dice.chance(300 + int(600 * share / self._shares[0])):
                continue
            for _ in range(fewest + self._dice.below(more)):
                self._schedule.after(self._dice.below(_SHOCK_US), instrument.quote)
            self._schedule.after(self._dice.below(_SHOCK_US), instrument.taker)

    def _order(self, ms: int) -> list[tuple[str, bytes]]:
        frames, cancel = self._trader.order(ms)
        if cancel is not None:
            later_us = self._schedule.now_us + 500_000 + self._dice.below(6_000_000)
            self._schedule.at(later_us, lambda then: [(USER, body) for body in cancel(then)])
        return frames


def _rest(path: str, body: bytes) -> tuple[str, bytes]:
    return f"rest:{path}", body
