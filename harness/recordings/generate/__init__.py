"""A seeded generator of recordings in the wire shapes of 2026, spot and USD-M; same profile and seed, same text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.format import Frame, Generator, Header, Writer
from harness.recordings.generate.delivery import delivered
from harness.recordings.generate.dice import Dice
from harness.recordings.generate.market import MarketSimulation
from harness.recordings.generate.profile import Profile, find_profile, profile_names
from harness.recordings.generate.rhythm import rhythm_of
from harness.recordings.generate.symbols import streams_of, symbols_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Profile", "find_profile", "frames", "generate", "header", "profile_names"]

_NAME: Final = "tickproof"
#: Another version makes another text of the same profile and seed. 2 - calibrated, with USD-M; 1 - first.
GENERATOR_VERSION: Final = 2


def header(profile: Profile) -> Header:
    """The first line of the recording that a profile describes."""
    return Header(
        market=profile.market,
        streams=streams_of(profile),
        start_ms=profile.start_ms,
        source="generated",
        title=profile.title,
        generator=Generator(name=f"{_NAME}/{profile.name}", seed=profile.seed, version=GENERATOR_VERSION),
        licence="MIT",
        note="Generated: no real account, no real prices. Calibrated on public recordings; see docs/recordings.md.",
        filters={spec.symbol: spec.filters for spec in symbols_of(profile)},
    )


def frames(profile: Profile) -> Iterator[Frame]:
    """The frames of the recording that a profile describes, made as they are asked for."""
    stalls = rhythm_of(profile.market).stalls_per_mille
    # The delivery has dice of its own, so that a change of it moves no price.
    return delivered(MarketSimulation(profile).frames(), Dice(profile.seed ^ 0x5EED), stalls)


def generate(profile: Profile, target: Path, on_progress: Callable[[Frame], None] | None = None) -> int:
    """Write the recording and return the number of its frames; `on_progress` gets each frame.

    Raises RecordingError when the file cannot be written.
    """
    with Writer(target, header(profile)) as writer:
        for frame in frames(profile):
            writer.write(frame)
            if on_progress is not None:
                on_progress(frame)
        return writer.frames
