"""Documents for the json scenario, taken from the recording."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.exchange import streams

if TYPE_CHECKING:
    from collections.abc import Iterable

MIX = "recorded mix"
ONE_KB = "1 KB"
#: Frames of the recorded mix that are decoded one after the other.
MIX_FRAMES = 200
#: Documents of one event type that are decoded one after the other.
TYPE_FRAMES = 20
_KIB = 1024


def documents(frames: Iterable[bytes], sample: int) -> dict[str, list[str]]:
    """Whole frames by event type, and the mix as it was recorded: every n-th frame of the first `sample`.

    Of each type the frames nearest to its median size, so that no odd one speaks for its kind.
    """
    taken = [frame.decode() for frame, _ in zip(frames, range(sample), strict=False)]
    by_kind: dict[str, list[str]] = {}
    for text in taken:
        by_kind.setdefault(_kind(text), []).append(text)
    found = {kind: _typical(texts) for kind, texts in sorted(by_kind.items()) if kind != "other"}
    found[MIX] = taken[:: max(1, len(taken) // MIX_FRAMES)][:MIX_FRAMES]
    found[ONE_KB] = [one_kb_document()]
    return found


def one_kb_document() -> str:
    """A JSONB document as the data service writes it for a trade, filled up to 1,024 bytes."""
    document: dict[str, object] = {
        "trade_id": "BTCUSDT-104729-B",
        "symbol": "BTCUSDT",
        "side": "BUY",
        "quantity": 0.01163,
        "entry_price": 85999.9,
        "confidence": 0.8125,
        "is_open": False,
        "tags": ["momentum", "breakout", None],
        "features": {},
    }
    features: dict[str, float] = {}
    document["features"] = features
    number = 0
    while len(json.dumps(document, separators=(",", ":"))) < _KIB - 24:
        number += 1
        features[f"feature_{number:02}"] = number * 1.0009765625
    missing = _KIB - len(json.dumps(document, separators=(",", ":"))) - len(',"note":""')
    document["note"] = "x" * missing
    return json.dumps(document, separators=(",", ":"))


def _typical(texts: list[str]) -> list[str]:
    median = sorted(map(len, texts))[len(texts) // 2]
    return sorted(texts, key=lambda text: abs(len(text) - median))[:TYPE_FRAMES]


def _kind(text: str) -> str:
    """The event's name, from the name of the stream that carried it."""
    prefix = '{"stream":"'
    if not text.startswith(prefix):
        return "other"
    kind = streams.parse(text[len(prefix) : text.index('"', len(prefix))]).kind
    return "depthUpdate" if kind == "depth" else kind
