"""What can go wrong while a recording is served, beside a bad recording and a taken port."""

from __future__ import annotations

from harness.errors import NotTrustworthy, TickproofError


class ReplayFailed(NotTrustworthy):
    """A serve that broke: a client closed early or stopped reading, or the replay process died.

    `after_frames` market frames had been handed to the system by then; None when it is not known.
    """

    def __init__(self, problem: str, *, after_frames: int | None = None) -> None:
        self.problem = problem
        self.after_frames = after_frames
        super().__init__(problem if after_frames is None else f"{problem}, after {after_frames:,} market frames")


class BadRequest(TickproofError):
    """A request that the replay process cannot carry out as it stands."""
