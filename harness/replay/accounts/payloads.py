"""What is signed of a request: its parameters as the client wrote them.

Source: Binance, web-socket-api.md of 2026: all parameters but the signature, sorted by name, `name=value` joined by
`&`, in UTF-8. Only REST percent-encodes. Binance shows text and numbers; of truth values and of plain lists their JSON
is taken here. What is nested deeper is no parameter of any request, and is taken as empty.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def written_params(text: str) -> dict[str, Any]:
    """The parameters of a request that was read before, numbers as the text they were written as."""
    try:
        params = json.loads(text, parse_int=Number, parse_float=Number).get("params")
    except RecursionError:  # nested so deeply that it could just be read once
        return {}
    return params if isinstance(params, dict) else {}


def payload_of(written: Mapping[str, Any]) -> bytes:
    """The bytes to be signed."""
    pairs = (f"{name}={_text(value)}" for name, value in sorted(written.items()) if name != "signature")
    return "&".join(pairs).encode(errors="replace")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{','.join(map(_json, value))}]"
    return _json(value)


def _json(value: Any) -> str:
    if isinstance(value, Number):
        return value
    return "" if isinstance(value, list | dict) else json.dumps(value, ensure_ascii=False)
