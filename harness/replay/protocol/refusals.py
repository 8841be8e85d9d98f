"""The two ways in which Binance turns a request down."""

from __future__ import annotations


class NotARequest(ValueError):
    """A text that is not answered: the connection is closed with 1008."""


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, msg: str) -> None:
        self.code = code
        self.msg = msg
        super().__init__(msg)
