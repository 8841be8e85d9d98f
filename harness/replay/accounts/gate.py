"""Who may ask: keys, signatures and the time a request was made.

Source: Binance, web-socket-api.md and errors.md of 2026 ("Request security", "Timing security"). Where the two say
nothing of an error's status, REST's is taken: 401 for what concerns an API key.
"""

from __future__ import annotations

import re
import threading
import time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from harness.replay.accounts.keys import Keyring
from harness.replay.accounts.payloads import payload_of, written_params
from harness.replay.accounts.weights import Weights
from harness.replay.protocol.refusals import Refused, malformed
from harness.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.recordings.format import Market
    from harness.replay.accounts.keys import Key

DEFAULT_WINDOW: Final = Decimal(5_000)
MAX_WINDOW: Final = 60_000
_WINDOW: Final = r"^([0-9]{1,20})(\.[0-9]{1,3})?$"
_TIMESTAMP: Final = r"^([0-9]{1,20})$"
_API_KEY: Final = re.compile(r"[A-Za-z0-9]{1,128}")
#: A timestamp above it is in microseconds: in milliseconds it would lie in the year 5138.
_MICROSECONDS: Final = 10**14
_US_PER_MS: Final = 1_000
_AHEAD_MS: Final = 1_000


class Security(Enum):
    """What a method wants of who asks."""

    NONE = "nothing"
    KEY = "an API key"
    SIGNED = "an API key and a signature, or a log-on before"
    SIGNED_ITSELF = "an API key and a signature in the request"


def wall_ms() -> int:
    """The time of day in milliseconds since 1970."""
    return time.time_ns() // NS_PER_MS


class Gate:
    """Lets requests in; shared by all connections, with the lock and the counts that they share."""

    def __init__(
        self,
        keys: Keyring | None = None,
        *,
        require_keys: bool = False,
        market: Market = "spot",
        wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """Without `require_keys` whoever shows no key and no signature may ask for anything."""
        self._keys = keys or Keyring()
        self.require_keys = require_keys
        self.market = market
        self.wall_ms = wall_ms
        self.lock = threading.Lock()
        """For whatever the connections share."""
        self.weights = Weights(market)

    def admit(self, security: Security, params: Mapping[str, object], text: str, logged_on: str | None) -> str | None:
        """The API key by which the request is asked, None for none; `logged_on` is that of the connection.

        Raises Refused. For any thread, without the lock.
        """
        shown = "signature" in params or "apiKey" in params
        if not shown and not self._wants(security, logged_on):
            return None
        if security is Security.NONE and "signature" not in params:
            return logged_on
        if security is Security.KEY and "signature" not in params:
            return self._known(params.get("apiKey"))[0]
        written = written_params(text)
        if not shown and logged_on is not None and security is Security.SIGNED:
            self._check_time(written)
            return logged_on
        api_key, key = self._known(params.get("apiKey", logged_on))
        signature = params.get("signature")
        if not isinstance(signature, str) or not signature:
            raise malformed("signature")
        if "timestamp" not in written:
            raise malformed("timestamp")
        if not key.made(signature, payload_of(written)):
            raise Refused(-1022, "Signature for this request is not valid.")
        self._check_time(written)
        return api_key

    def may_log_on(self, api_key: str) -> bool:
        """Whether `session.logon` takes a key that was let in."""
        key = self._keys.get(api_key)
        return key is not None and key.may_log_on

    def _wants(self, security: Security, logged_on: str | None) -> bool:
        if security is Security.NONE:
            return False
        return self.require_keys or (logged_on is not None and security is Security.SIGNED)

    def _known(self, api_key: object) -> tuple[str, Key]:
        if not isinstance(api_key, str) or not _API_KEY.fullmatch(api_key):
            raise Refused(-2014, "API-key format invalid.", status=401)
        key = self._keys.get(api_key)
        if key is None:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return api_key, key

    def _check_time(self, written: Mapping[str, Any]) -> None:
        window = _window(written.get("recvWindow"))
        made = written.get("timestamp")
        if not isinstance(made, str) or not made:
            raise malformed("timestamp")
        if not re.fullmatch(_TIMESTAMP, made):
            raise _illegal("timestamp", _TIMESTAMP)
        made_ms = Decimal(made) / (_US_PER_MS if int(made) >= _MICROSECONDS else 1)
        now = self.wall_ms()
        if made_ms >= now + _AHEAD_MS:
            raise Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - made_ms > window:
            raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window(written: object) -> Decimal:
    """Milliseconds."""
    if written is None:
        return DEFAULT_WINDOW
    if not isinstance(written, str) or not re.fullmatch(_WINDOW, written):
        raise _illegal("recvWindow", _WINDOW)
    if Decimal(written) > MAX_WINDOW:
        raise Refused(-1102, f"'recvWindow' contains unexpected value. Cannot be greater than '{MAX_WINDOW}'.")
    return Decimal(written)


def _illegal(name: str, legal: str) -> Refused:
    return Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
