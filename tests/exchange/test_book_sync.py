from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.exchange import book_sync
from harness.exchange.book_sync import BookSync, Snapshot, SyncStatistics
from harness.exchange.events import BookTicker, DepthUpdate
from harness.recordings.format import load
from harness.recordings.importers import import_raw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.exchange.book import LocalBook
    from harness.recordings.format import Frame

BIDS, ASKS = [["10", "1"]], [["11", "1"]]


def spot(first: int, last: int, bid: str = "10", quantity: str = "2") -> DepthUpdate:
    return DepthUpdate(event_time=1, symbol="AAA", first_id=first, last_id=last, bids=[[bid, quantity]], asks=[])


def usdm(first: int, last: int, previous: int, bid: str = "10", quantity: str = "2") -> DepthUpdate:
    return msgspec.structs.replace(spot(first, last, bid, quantity), previous_id=previous)


@pytest.fixture
def sync() -> BookSync:
    return BookSync(depth=5)


def book_of(sync: BookSync) -> LocalBook:
    assert sync.book is not None
    return sync.book


def synced(sync: BookSync, *events: DepthUpdate, snapshot: int) -> BookSync:
    """The sync once it has seen the events and then a snapshot that suits them."""
    assert [sync.on_event(event) for event in events] == [True, *[False] * (len(events) - 1)]
    assert not sync.on_snapshot(snapshot, BIDS, ASKS)
    assert sync.book is not None
    return sync


def test_the_first_event_wants_a_snapshot_and_those_behind_it_wait(sync: BookSync) -> None:
    assert sync.on_event(spot(5, 6))
    assert not sync.on_event(spot(7, 7))
    assert sync.book is None
    assert sync.statistics == SyncStatistics(buffered_peak=2)


# Spot: drop u <= lastUpdateId, the next holds lastUpdateId + 1.


@pytest.mark.parametrize(
    ("snapshot", "ignored", "at"),
    [
        pytest.param(4, 0, 9, id="the snapshot ends right before the first event"),
        pytest.param(5, 0, 9, id="the snapshot ends within the first event"),
        pytest.param(6, 1, 9, id="the snapshot ends with the first event"),
        pytest.param(8, 1, 9, id="the snapshot ends within the second event"),
        pytest.param(9, 2, 9, id="the snapshot ends with the last event"),
        pytest.param(30, 2, 30, id="the snapshot is newer than all"),
    ],
)
def test_spot_events_that_a_snapshot_holds_are_dropped(sync: BookSync, snapshot: int, ignored: int, at: int) -> None:
    synced(sync, spot(5, 6, "9"), spot(7, 9, "8"), snapshot=snapshot)
    assert (sync.statistics.ignored, sync.last_id) == (ignored, at)
    assert book_of(sync).bids(5) == [(10.0, 1.0), *[(9.0, 2.0), (8.0, 2.0)][ignored:]]


def test_a_spot_snapshot_before_the_first_event_is_too_old_and_another_is_wanted(sync: BookSync) -> None:
    sync.on_event(spot(5, 6))
    assert sync.on_snapshot(3, BIDS, ASKS)
    assert sync.book is None
    assert not sync.on_event(spot(7, 8))
    assert not sync.on_snapshot(5, BIDS, ASKS)
    assert (sync.statistics.stale, sync.statistics.synced, sync.statistics.resyncs, sync.last_id) == (1, 1, 0, 8)


def test_a_spot_snapshot_that_is_newer_than_all_waits_for_its_event(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=9)
    assert not sync.on_event(spot(7, 8, "9.5"))
    assert not sync.on_event(spot(9, 12, "9.6"))
    assert (sync.last_id, sync.statistics.ignored, sync.statistics.gaps) == (12, 2, 0)
    assert book_of(sync).bids(2) == [(10.0, 1.0), (9.6, 2.0)]


def test_a_spot_snapshot_before_any_event_is_taken_when_the_first_joins_it(sync: BookSync) -> None:
    assert not sync.on_snapshot(4, BIDS, ASKS)
    assert not sync.on_event(spot(5, 6))
    assert (sync.last_id, book_of(sync).bids(1)) == (6, [(10.0, 2.0)])


def test_a_snapshot_that_the_first_event_behind_it_does_not_join_was_too_old(sync: BookSync) -> None:
    assert not sync.on_snapshot(4, BIDS, ASKS)
    assert sync.on_event(spot(6, 6))
    assert sync.book is None
    assert (sync.statistics.stale, sync.statistics.gaps) == (1, 0)
    assert not sync.on_snapshot(6, BIDS, ASKS)


def test_spot_events_follow_each_other(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    for event in (spot(7, 7), spot(8, 20), spot(21, 21)):
        assert not sync.on_event(event)
    assert (sync.last_id, sync.statistics.gaps, sync.statistics.ignored) == (21, 0, 1)


@pytest.mark.parametrize("old", [spot(7, 7), spot(3, 6), spot(1, 2)], ids=["repeated", "overlapping", "older"])
def test_a_spot_event_that_ends_at_or_before_the_book_is_ignored(sync: BookSync, old: DepthUpdate) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    assert not sync.on_event(spot(7, 7, "10", "3"))
    assert not sync.on_event(old)
    assert (sync.last_id, sync.statistics.ignored, sync.statistics.gaps) == (7, 2, 0)
    assert book_of(sync).bids(1) == [(10.0, 3.0)]


def test_a_spot_event_that_reaches_from_before_the_book_beyond_it_is_applied(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    assert not sync.on_event(spot(4, 9))
    assert (sync.last_id, sync.statistics.gaps) == (9, 0)


def test_a_spot_gap_gives_the_book_up_and_wants_one_snapshot(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    assert sync.on_event(spot(8, 9))
    assert sync.book is None
    assert not sync.on_event(spot(10, 10))
    assert not sync.on_snapshot(9, BIDS, ASKS)
    assert (sync.last_id, sync.statistics.gaps, sync.statistics.synced, sync.statistics.resyncs) == (10, 1, 2, 1)


def test_ids_that_begin_anew_are_a_gap_and_do_not_stop_the_book_for_ever(sync: BookSync) -> None:
    synced(sync, spot(500, 600), snapshot=600)
    for update_id in range(1, book_sync.MAX_OLD + 1):
        assert not sync.on_event(spot(update_id, update_id))
    assert sync.on_event(spot(101, 101))
    assert (sync.book, sync.statistics.gaps) == (None, 1)
    assert not sync.on_snapshot(101, BIDS, ASKS)
    assert sync.book is not None


def test_old_events_among_new_ones_never_add_up_to_a_gap(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    for update_id in range(7, 8 + book_sync.MAX_OLD):
        assert not sync.on_event(spot(update_id, update_id))
        assert not sync.on_event(spot(5, 6))
    assert (sync.statistics.gaps, sync.statistics.ignored) == (0, 2 + book_sync.MAX_OLD)


# USD-M: drop u < lastUpdateId, the next has U <= lastUpdateId <= u, then pu is the u before.


@pytest.mark.parametrize(
    ("snapshot", "ignored", "at"),
    [
        pytest.param(500, 0, 900, id="the snapshot ends with the id before the first event"),
        pytest.param(550, 0, 900, id="the snapshot ends with the first id of the first event"),
        pytest.param(570, 0, 900, id="the snapshot ends within the first event"),
        pytest.param(600, 0, 900, id="the snapshot ends with the first event, which is applied again"),
        pytest.param(750, 1, 900, id="the snapshot ends within the second event"),
        pytest.param(900, 1, 900, id="the snapshot ends with the last event, which is applied again"),
        pytest.param(901, 2, 901, id="the snapshot is newer than all"),
    ],
)
def test_usdm_events_that_a_snapshot_holds_are_dropped(sync: BookSync, snapshot: int, ignored: int, at: int) -> None:
    synced(sync, usdm(550, 600, 500, "9"), usdm(700, 900, 600, "8"), snapshot=snapshot)
    assert (sync.statistics.ignored, sync.last_id) == (ignored, at)
    assert book_of(sync).bids(5) == [(10.0, 1.0), *[(9.0, 2.0), (8.0, 2.0)][ignored:]]


@pytest.mark.parametrize("snapshot", [499, 501, 549])
def test_a_usdm_snapshot_before_the_first_event_is_too_old_and_another_is_wanted(sync: BookSync, snapshot: int) -> None:
    sync.on_event(usdm(550, 600, 500))
    assert sync.on_snapshot(snapshot, BIDS, ASKS)
    assert sync.on_snapshot(snapshot, BIDS, ASKS)
    assert sync.book is None
    assert not sync.on_snapshot(560, BIDS, ASKS)
    assert (sync.statistics.stale, sync.last_id) == (2, 600)


def test_a_usdm_snapshot_between_two_events_that_neither_holds_is_too_old(sync: BookSync) -> None:
    sync.on_event(usdm(550, 600, 500))
    sync.on_event(usdm(700, 900, 600))
    assert sync.on_snapshot(650, BIDS, ASKS)
    assert not sync.on_snapshot(700, BIDS, ASKS)


def test_a_usdm_snapshot_before_any_event_is_taken_when_the_first_joins_it(sync: BookSync) -> None:
    assert not sync.on_snapshot(560, BIDS, ASKS)
    assert not sync.on_event(usdm(400, 500, 300))
    assert not sync.on_event(usdm(550, 600, 500))
    assert (sync.last_id, sync.statistics.ignored, book_of(sync).bids(1)) == (600, 1, [(10.0, 2.0)])


def test_a_usdm_snapshot_before_any_event_that_the_first_does_not_join_was_too_old(sync: BookSync) -> None:
    assert not sync.on_snapshot(520, BIDS, ASKS)
    assert sync.on_event(usdm(550, 600, 500))
    assert (sync.book, sync.statistics.stale, sync.statistics.gaps) == (None, 1, 0)


def test_usdm_events_follow_by_pu_alone(sync: BookSync) -> None:
    synced(sync, usdm(550, 600, 500), snapshot=570)
    assert not sync.on_event(usdm(2_000, 3_000, 600))
    assert not sync.on_event(usdm(2_500, 4_000, 3_000))
    assert (sync.last_id, sync.statistics.gaps) == (4_000, 0)


@pytest.mark.parametrize(
    "event", [usdm(601, 700, 599), usdm(601, 700, 601), usdm(550, 600, 500)], ids=["before", "after", "repeated"]
)
def test_a_usdm_event_with_another_pu_is_a_gap_even_where_its_ids_follow(sync: BookSync, event: DepthUpdate) -> None:
    synced(sync, usdm(550, 600, 500), snapshot=570)
    assert sync.on_event(event)
    assert (sync.book, sync.statistics.gaps) == (None, 1)


def test_after_a_gap_the_first_event_is_joined_as_at_the_beginning(sync: BookSync) -> None:
    synced(sync, usdm(550, 600, 500), snapshot=570)
    assert sync.on_event(usdm(700, 800, 650))
    assert not sync.on_snapshot(950, BIDS, ASKS)
    assert not sync.on_event(usdm(820, 900, 800, "9.5"))
    assert not sync.on_event(usdm(930, 990, 900, "9.6"))
    assert (sync.last_id, sync.statistics.ignored) == (990, 2)
    assert book_of(sync).bids(5) == [(10.0, 1.0), (9.6, 2.0)]


# Both.


def test_a_gap_while_waiting_drops_what_waited_before_it(sync: BookSync) -> None:
    sync.on_event(spot(5, 6, "9"))
    assert not sync.on_event(spot(9, 9, "8"))
    assert sync.on_snapshot(4, BIDS, ASKS)  # it would have joined the first event
    assert not sync.on_snapshot(8, BIDS, ASKS)
    assert book_of(sync).bids(5) == [(10.0, 1.0), (8.0, 2.0)]
    assert (sync.statistics.gaps, sync.statistics.stale) == (1, 1)


def test_a_malformed_event_gives_the_book_up_and_a_newer_snapshot_mends_it(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    assert sync.on_event(spot(7, 8, "nan"))
    assert (sync.book, sync.statistics.malformed, sync.statistics.gaps) == (None, 1, 0)
    assert not sync.on_event(spot(9, 9))
    assert sync.on_snapshot(6, BIDS, ASKS)
    assert not sync.on_snapshot(8, BIDS, ASKS)
    assert sync.last_id == 9


def test_a_malformed_event_does_not_stand_in_the_way_of_an_older_snapshot(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    assert sync.on_event(spot(7, 8, "nan"))
    assert not sync.on_snapshot(6, BIDS, ASKS)  # so that the market may be read on
    assert sync.on_event(spot(9, 9))
    assert (sync.book, sync.statistics.stale, sync.statistics.gaps) == (None, 1, 0)
    assert not sync.on_snapshot(9, BIDS, ASKS)


def test_a_malformed_event_among_those_that_waited_costs_another_snapshot(sync: BookSync) -> None:
    for event in (spot(5, 6), spot(7, 8, "-1"), spot(9, 9)):
        sync.on_event(event)
    assert sync.on_snapshot(5, BIDS, ASKS)
    assert sync.book is None
    assert not sync.on_snapshot(8, BIDS, ASKS)
    assert (sync.last_id, sync.statistics.malformed) == (9, 1)


@pytest.mark.parametrize("bids", [[["10", "x"]], [["10"]], ["10"]])
def test_a_malformed_snapshot_is_of_no_use_and_costs_no_event(sync: BookSync, bids: list[Any]) -> None:
    sync.on_event(spot(5, 6))
    assert sync.on_snapshot(5, bids, ASKS)
    assert (sync.book, sync.statistics.malformed) == (None, 1)
    assert not sync.on_snapshot(5, BIDS, ASKS)
    assert sync.last_id == 6


def test_a_snapshot_that_nobody_asked_for_is_passed_over(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    book = sync.book
    assert not sync.on_snapshot(900, [["1", "1"]], [])
    assert (sync.book, sync.last_id) == (book, 6)


def test_a_price_that_leaves_what_the_snapshot_told_wants_a_new_one() -> None:
    sync = BookSync(depth=1)
    synced(sync, spot(5, 6), snapshot=6)
    event = msgspec.structs.replace(spot(7, 7), bids=[["9", "1"], ["10", "0"]])
    assert sync.on_event(event)
    assert (sync.book, sync.statistics.exhausted, sync.statistics.gaps) == (None, 1, 0)
    assert not sync.on_snapshot(7, [["9.5", "1"]], ASKS)
    assert book_of(sync).best_bid == 9.5


def test_a_crossed_book_is_counted_and_kept(sync: BookSync) -> None:
    synced(sync, spot(5, 6), snapshot=6)
    assert not sync.on_event(spot(7, 7, "11"))
    assert book_of(sync).is_crossed
    assert sync.statistics.crossed == 1


def test_what_waits_is_bounded_in_events(sync: BookSync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_sync, "MAX_BUFFERED", 10)
    for update_id in range(5, 30):
        sync.on_event(spot(update_id, update_id))
    assert (sync.statistics.dropped, sync.statistics.buffered_peak) == (15, 10)
    assert sync.on_snapshot(18, BIDS, ASKS)  # 20 is the oldest that is left
    assert not sync.on_snapshot(19, BIDS, ASKS)
    assert sync.last_id == 29


def test_what_waits_is_bounded_in_levels_but_one_event_always_fits(
    sync: BookSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_sync, "MAX_BUFFERED_LEVELS", 10)
    for update_id in range(5, 9):
        sync.on_event(msgspec.structs.replace(spot(update_id, update_id), bids=[["1", "1"]] * 4))
    assert sync.statistics.dropped == 2
    sync.on_event(msgspec.structs.replace(spot(9, 9), bids=[["1", "1"]] * 50))
    assert (sync.statistics.dropped, sync.statistics.buffered_peak) == (4, 2)
    assert not sync.on_snapshot(8, BIDS, ASKS)
    assert sync.on_event(spot(20, 20))
    assert not sync.on_event(spot(21, 21))
    assert sync.statistics.dropped == 4


# Real recordings: the diff streams, the snapshots fetched for them, and the book tickers of the same symbols.

Best = tuple[tuple[float, float], tuple[float, float]]


class Played:
    """A recording played into a sync for each symbol, snapshots where they were answered."""

    def __init__(self, frames: list[Frame]) -> None:
        self.syncs: dict[str, BookSync] = defaultdict(lambda: BookSync(depth=1_000))
        self.wanted: Counter[str] = Counter()
        self.best: dict[str, dict[int, Best]] = defaultdict(dict)
        """By symbol and update id of the book."""
        self.tickers: dict[str, dict[int, Best]] = defaultdict(dict)
        for frame in frames:
            if frame.connection == "market":
                self._market(msgspec.json.decode(frame.body))
            else:
                self._snapshot(frame)

    def _snapshot(self, frame: Frame) -> None:
        found = re.fullmatch(r"rest:/f?api/v[13]/depth\?symbol=(\w+)&limit=1000", frame.connection)
        assert found
        snapshot = msgspec.json.decode(frame.body, type=Snapshot)
        self.wanted[found[1]] += self.syncs[found[1]].on_snapshot(snapshot.last_update_id, snapshot.bids, snapshot.asks)

    def _market(self, document: dict[str, Any]) -> None:
        symbol, _, kind = document["stream"].upper().partition("@")
        if kind == "BOOKTICKER":
            ticker = msgspec.convert(document["data"], BookTicker, strict=False)
            best = ((ticker.bid, ticker.bid_quantity), (ticker.ask, ticker.ask_quantity))
            self.tickers[symbol][ticker.update_id] = best
        elif kind.startswith("DEPTH"):
            sync = self.syncs[symbol]
            self.wanted[symbol] += sync.on_event(msgspec.convert(document["data"], DepthUpdate, strict=False))
            if sync.book is not None:
                self.best[symbol][sync.last_id] = (sync.book.bids(1)[0], sync.book.asks(1)[0])

    def compared(self) -> Iterator[tuple[Best, Best]]:
        """The book after each event, and the last ticker up to its id: tickers tell every change of the best."""
        for symbol, books in self.best.items():
            ids = sorted(self.tickers[symbol])
            for update_id, best in books.items():
                before = bisect_right(ids, update_id)
                if before:
                    yield best, self.tickers[symbol][ids[before - 1]]


@pytest.fixture(scope="module")
def recorded(shared_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Frame]]:
    """Frames and snapshots in the order in which they came, by recording."""
    folder, cryptofeed = tmp_path_factory.mktemp("recorded"), shared_recordings / "cryptofeed"
    # Its snapshots lie in a file of their own: put both together by their times.
    names = ("spot-with-snapshots", "spot-depth-snapshots")
    lines = [line for name in names for line in (cryptofeed / f"{name}.raw").read_text(encoding="utf-8").splitlines()]
    together = folder / "spot-with-snapshots.raw"
    together.write_text("\n".join(sorted(filter(None, lines), key=_time_of)) + "\n", encoding="utf-8")
    sources = [together, *(cryptofeed / f"{name}.raw" for name in RECORDINGS if name != together.stem)]
    for source in sources:
        import_raw(source, folder / f"{source.stem}.jsonl")
    return {source.stem: list(load(folder / f"{source.stem}.jsonl").frames) for source in sources}


def _time_of(line: str) -> float:
    found = re.match(r"(?:https\S+ -> )?(\d+\.\d+): ", line)
    return float(found[1]) if found else 0.0


#: Symbols, and books that can be compared with a ticker. The rest cannot: before a symbol's first ticker none is known
#: (42 books), and RUNEEUR of the first and all of the last have no book ticker.
RECORDINGS = {
    "spot-with-snapshots": (4, 159),
    "spot-10-symbols-2021-04": (10, 4_637),
    "usdm-5-symbols-2021-04": (5, 4_384),
    "spot-btc-eth-dot-kline-2021-04": (3, 0),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_symbol_of_a_real_recording_is_synchronised_and_stays_so(
    recorded: dict[str, list[Frame]], name: str
) -> None:
    played = Played(recorded[name])
    assert len(played.syncs) == RECORDINGS[name][0]
    assert set(played.wanted.values()) == {1}
    for sync in played.syncs.values():
        assert sync.book is not None
        assert sync.statistics == SyncStatistics(synced=1, ignored=sync.statistics.ignored, buffered_peak=1)


@pytest.mark.shared
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_best_of_a_real_book_is_what_the_book_ticker_said(recorded: dict[str, list[Frame]], name: str) -> None:
    compared = list(Played(recorded[name]).compared())
    assert len(compared) == RECORDINGS[name][1]
    assert [pair for pair in compared if pair[0] != pair[1]] == []


@pytest.mark.shared
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_frame_cut_out_of_a_real_stream_is_one_gap_and_one_request(
    recorded: dict[str, list[Frame]], name: str
) -> None:
    frames = recorded[name]
    whole = Played(frames)
    symbol = max(whole.best, key=lambda each: len(whole.best[each]))
    stream = f'{{"stream":"{symbol.lower()}@depth'.encode()
    depth = [number for number, frame in enumerate(frames) if frame.body.startswith(stream)]
    cut = depth[len(depth) // 2]
    played = Played(frames[:cut] + frames[cut + 1 :])
    assert played.wanted == {each: 1 + (each == symbol) for each in played.syncs}
    sync = played.syncs[symbol]
    assert sync.book is None
    assert (sync.statistics.gaps, sync.statistics.synced) == (1, 1)
    assert all(other.book is not None for each, other in played.syncs.items() if each != symbol)
