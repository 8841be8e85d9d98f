from __future__ import annotations

import json

from harness.recordings import catalogue
from harness.recordings.format import load
from harness.run.documents import MIX, MIX_FRAMES, ONE_KB, documents, one_kb_document


def test_the_document_of_one_kb_is_1024_bytes_of_json() -> None:
    text = one_kb_document()
    assert len(text.encode()) == 1024
    assert json.dumps(json.loads(text), separators=(",", ":")) == text


def test_documents_are_whole_frames_of_the_recording_by_event_type() -> None:
    recording = load(catalogue.find("spot-30-symbols"))
    bodies = [frame.body for frame in recording.frames if frame.connection == "market"]
    found = documents(bodies, 20_000)
    assert {"aggTrade", "bookTicker", "depthUpdate", "kline", MIX, ONE_KB} <= found.keys()
    everything = {body.decode() for body in bodies}
    for name, texts in found.items():
        if name != ONE_KB:
            assert set(texts) <= everything
    assert len(found[MIX]) == MIX_FRAMES
    assert all('@bookTicker"' in text for text in found["bookTicker"])
    assert all('"e":"depthUpdate"' in text for text in found["depthUpdate"])
