"""What numbers and words a fault may have."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

MAX_FAULTS: Final = 10_000
"""Of one plan once it is resolved: each of them is listed in the result."""
MAX_FRAME_BYTES: Final = 16 << 20
_LONGEST_S: Final = 86_400
#: A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5).
MAX_REASON_BYTES: Final = 123

FrameNumber = Annotated[int, Meta(ge=0, le=10**9)]
"""0 is the time before the first frame."""
Few = Annotated[int, Meta(ge=1, le=10_000)]
Frames = Annotated[int, Meta(ge=1, le=10**6)]
Times = Annotated[int, Meta(ge=2, le=1_000)]
Distance = Annotated[int, Meta(ge=1, le=10**5)]
Skip = Annotated[int, Meta(ge=0, le=10**6)]
Seconds = Annotated[float, Meta(gt=0, le=_LONGEST_S)]
CloseCode = Annotated[int, Meta(ge=0, le=65_535)]
Reason = Annotated[str, Meta(max_length=MAX_REASON_BYTES)]
Status = Annotated[int, Meta(ge=400, le=599)]
Pings = Annotated[int, Meta(ge=1, le=10**5)]
Rate = Annotated[int, Meta(ge=1, le=10**9)]
FrameBytes = Annotated[int, Meta(ge=1, le=MAX_FRAME_BYTES)]
StepMs = Annotated[int, Meta(ge=-(10**11), le=10**11)]

Way = Literal["comma", "colon", "quote", "tail", "text", "utf8"]
"""A comma doubled, a colon or a quote left out, a brace too many, no JSON at all; or a byte that is not UTF-8."""
Padding = Literal["whitespace", "field"]
Within = Literal["market", "stream"]
CutHow = Literal["clean", "reset", "half_open", "mid_frame"]
RefuseHow = Literal["reset", "http"]
Resume = Literal["next", "live"]
On = Literal["market", "all"]
