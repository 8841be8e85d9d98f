from __future__ import annotations

from harness.run.divergence import first_difference


def test_the_first_difference_names_the_frame_and_both_values() -> None:
    words = first_difference("a", ["frame 1: x", "frame 2: y", "frame 3: z"], "b", ["frame 1: x", "frame 2: w", "q"])
    assert words == "first divergence: a decided [frame 2: y], b decided [frame 2: w]"


def test_a_trace_that_ends_early_differs_there() -> None:
    assert "b decided [nothing more]" in first_difference("a", ["1", "2"], "b", ["1"])


def test_equal_traces_say_that_something_is_not_deterministic() -> None:
    assert "not deterministic" in first_difference("a", ["1"], "b", ["1"])
