"""Secrets out of text before it is logged, stored or shown."""

from __future__ import annotations

import re

MASK = "***"

#: A password may hold @ and :, and even a slash that its owner did not escape; but a port and a path with an @ in it
#: (`:9443/ws/btcusdt@trade`) are none.
_USERINFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}://)(?P<user>[^\s/:@]*):(?P<password>[^\s/]*|(?!\d{1,5}/)[^\s@]{1,512})@",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"(?P<key>[?&](?:password|passwd|token|secret|signature|apikey|api_key|listenkey)=)[^&\s#]+", re.IGNORECASE
)
#: Binance's listen keys are 64 letters and digits (BINANCE.md, section 8).
_LISTEN_KEY = re.compile(r"\b(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[G-Zg-z])[A-Za-z0-9]{64}\b")


def redact(text: str) -> str:
    """The text with passwords in URLs, secret query values and listen keys replaced by `***`."""
    text = _USERINFO.sub(rf"\g<scheme>\g<user>:{MASK}@", text)
    text = _QUERY.sub(rf"\g<key>{MASK}", text)
    return _LISTEN_KEY.sub(MASK, text)
