"""What is signed of a request: its parameters as the client wrote them.

Source: Binance, web-socket-api.md of 2026: all parameters but the signature, sorted by name, `name=value` joined by
`&`, in UTF-8. Only REST percent-encodes. Binance shows text and numbers; of other values their JSON is taken here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def written_params(text: str) -> dict[str, Any]:
    """The parameters of a request that was read before, numbers as the text they were written as."""
    params = json.loads(text, parse_int=str, parse_float=str).get("params")
    return params if isinstance(params, dict) else {}


def payload_of(written: Mapping[str, Any]) -> bytes:
    """The bytes to be signed."""
    pairs = (f"{name}={_text(value)}" for name, value in sorted(written.items()) if name != "signature")
    return "&".join(pairs).encode(errors="replace")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
