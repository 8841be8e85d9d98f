"""The two ways in which Binance turns a request down."""

from __future__ import annotations


class NotARequest(ValueError):
    """A text that is not answered: the connection is closed with 1008."""


class Refused(Exception):
    """A request that is answered with an error; `status` is told on the WebSocket API alone."""

    def __init__(self, code: int, msg: str, *, status: int = 400) -> None:
        self.code = code
        self.msg = msg
        self.status = status
        super().__init__(msg)


def malformed(name: str) -> Refused:
    """A parameter that must be there and be of its type (errors.md, -1102)."""
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
