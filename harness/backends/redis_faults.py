"""What an error of the Redis library means for a cache, and how it is told."""

from __future__ import annotations

from enum import Enum

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    DataError,
    ResponseError,
)

from harness.redact import redact

#: First words of answers that the library has no class of its own for. A server may say anything: no other is kept.
_WORDS = frozenset({"WRONGTYPE", "MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN", "CLUSTERDOWN"})
_LONGEST = 200


class Fault(Enum):
    """What to do about an error."""

    AWAY = "away"
    """Nobody answers, not in time, or not as Redis does: go on without."""
    LOCKED = "locked"
    """The password is not the right one: go on without, and do not ask often."""
    REFUSED = "refused"
    """This operation was answered by an error; the next may not be."""


def fault_of(error: Exception) -> Fault:
    """What kind of fault it is; whatever the library was not made to raise counts as a server that is no Redis."""
    if isinstance(error, (AuthenticationError, AuthorizationError, AuthenticationWrongNumberOfArgsError)):
        return Fault.LOCKED
    if isinstance(error, (ResponseError, DataError)):
        return Fault.REFUSED
    return Fault.AWAY


def is_wrong_type(error: Exception) -> bool:
    """Whether the key holds something else than a string."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def refusal_of(error: Exception) -> str:
    """A name for this kind of refusal; there are few."""
    word = str(error).partition(" ")[0]
    return word if word in _WORDS else type(error).__name__


def told(error: Exception) -> str:
    """An error as a log may hold it: no secret, one line, no end of it."""
    text = " ".join(redact(str(error)).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
