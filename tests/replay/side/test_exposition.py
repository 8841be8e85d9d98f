from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from harness.replay.pacing import Pace
from harness.replay.side.exposition import CONTENT_TYPE, Exposition

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Metric

    from harness.replay.side.showing import Showing
    from tests.replay.side.conftest import Door

PREFIX = "tickproof_replay_"


def parsed(text: str) -> dict[str, Metric]:
    """By name without the prefix, the process's own left out; the parser takes `_total` off a counter's name."""
    found = {family.name: family for family in text_string_to_metric_families(text)}
    return {name.removeprefix(PREFIX): family for name, family in found.items() if name.startswith(PREFIX)}


def values(family: Metric) -> dict[str, float]:
    """By the one label's value."""
    return {"".join(sample.labels.values()): sample.value for sample in family.samples}


def test_every_figure_is_exposed_with_its_unit(showing_of: Callable[..., Showing]) -> None:
    found = parsed(Exposition(showing_of).text().decode())
    assert {name: values(family) for name, family in found.items() if name != "recording_info"} == {
        "planned_faults": {"": 2},
        "state": {"waiting": 0, "held": 0, "playing": 1, "paused": 0, "ended": 0},
        "turn": {"": 2},
        "due_frames": {"": 6_445},
        "turn_frames": {"": 88_916},
        "recorded_seconds": {"": 23.184},
        "subscribed_connections": {"": 3},
        "lagging_connections": {"": 1},
        "sent_frames": {"market": 1_234_567, "account": 45},
        "lateness_seconds": {"0.5": 33.5e-6, "0.99": 420.1e-6, "1": 5_448.8e-6},
        "open_connections": {"": 4},
        "happened_faults": {"": 1},
        "connections": {"": 17},
        "refused_connections": {"": 2},
        "orders": {"": 812},
    }
    info = found["recording_info"].samples[0]
    assert (info.value, info.labels["name"], info.labels["source"]) == (1, "spot-30-symbols", "generated")


def test_counters_are_what_only_grows_and_their_names_say_so_once(showing_of: Callable[..., Showing]) -> None:
    text = Exposition(showing_of).text().decode()
    found = parsed(text)
    counters = {name for name, family in found.items() if family.type == "counter"}
    assert counters == {"sent_frames", "connections", "refused_connections", "orders"}
    for name in counters:
        assert {sample.name for sample in found[name].samples} == {f"{PREFIX}{name}_total"}
    assert "_total_total" not in text
    assert all(family.documentation.endswith(".") or "; " in family.documentation for family in found.values())


def test_what_is_not_counted_is_left_out(showing_of: Callable[..., Showing]) -> None:
    shown = showing_of(orders=None, accepted_connections=None, refused_connections=None)
    assert not {"orders", "connections", "refused_connections"} & set(parsed(Exposition(lambda: shown).text().decode()))


def test_a_hostile_name_stays_a_label(showing_of: Callable[..., Showing]) -> None:
    name = '"} 1\n# HELP forged x\nforged{a="\\'
    found = parsed(Exposition(lambda: showing_of(recording=name)).text().decode())
    assert found["recording_info"].samples[0].labels["name"] == name
    assert "forged" not in found


def test_the_figures_grow_while_the_replay_plays_and_say_at_the_end_what_was_sent(
    open_door: Callable[..., Door],
) -> None:
    door = open_door(400, 1_000_000, Pace(speed=2.0))
    got: list[object] = []

    def read() -> None:
        with connect(f"{door.url}/ws/btcusdt@trade", proxy=None, compression=None) as client:
            got.extend(client)

    reader = threading.Thread(target=read)
    reader.start()
    scrapes = []
    while reader.is_alive():
        answer = door.http.get("/tickproof/metrics")
        assert answer.headers["content-type"] == CONTENT_TYPE
        scrapes.append(values(parsed(answer.text)["sent_frames"])["market"])
    reader.join()
    assert scrapes == sorted(scrapes)
    assert len(got) == 134
    assert door.state()["sent_market_frames"] == 134
    assert door.state()["accepted_connections"] >= 2
