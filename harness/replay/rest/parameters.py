"""The parameters of a request, read as Binance reads them, and its words for what is wrong with them (errors.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from harness.replay.rest.http import HttpAnswer, refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Names in one `symbols` parameter.
MAX_SYMBOLS: Final = 500
_SYMBOL: Final = re.compile(r"[A-Z0-9\-_.]{1,20}")
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_LIST: Final = '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$'


class Refusal(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(message)

    @property
    def answer(self) -> HttpAnswer:
        """The error as it is sent."""
        return refused(self.status, self.code, str(self))


def missing(name: str) -> Refusal:
    """A mandatory parameter that was not sent."""
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> Refusal:
    """A parameter with characters that it cannot have."""
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def invalid(name: str) -> Refusal:
    """A parameter whose value is not possible."""
    return Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")


class Parameters:
    """What one request asked with; of a name in query and form the query's value (rest-api.md)."""

    def __init__(self, fields: Mapping[str, str], symbols: Collection[str]) -> None:
        """`symbols`: those that can be asked for."""
        self._fields = fields
        self.known = symbols

    def text(self, name: str) -> str | None:
        """The value, None where it is missing or empty."""
        return self._fields.get(name) or None

    def required(self, name: str) -> str:
        """The value; Refusal (-1102) where it is missing or empty."""
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A number from 0 on; Refusal (-1100) for anything else."""
        value = self.text(name)
        if value is None:
            return default
        if not _DIGITS.fullmatch(value):
            raise illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """How many are wanted, `most` at most; Refusal (-1130) for 0."""
        value = self.integer("limit", default)
        if not value:
            raise invalid("limit")
        return min(value, most)

    def symbol(self) -> str:
        """The symbol asked for; Refusal (-1102, -1100, -1121) for none, a malformed or an unknown one."""
        return self._known("symbol", self.required("symbol"))

    def symbols(self) -> list[str] | None:
        """The symbols asked for, by `symbol` or `symbols=["A","B"]`; None for all of them."""
        one, several = self.text("symbol"), self.text("symbols")
        if one is not None and several is not None:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if one is not None:
            return [self._known("symbol", one)]
        if several is None:
            return None
        try:
            names = msgspec.json.decode(several, type=list[str])
        except msgspec.MsgspecError as error:
            raise illegal("symbols", _LIST) from error
        if len(names) > MAX_SYMBOLS:
            raise invalid("symbols")
        return [self._known("symbols", name) for name in dict.fromkeys(names)]

    def _known(self, parameter: str, name: str) -> str:
        if name in self.known:
            return name
        if not _SYMBOL.fullmatch(name):
            raise illegal(parameter, "^[A-Z0-9-_.]{1,20}$" if parameter == "symbol" else _LIST)
        raise Refusal(-1121, "Invalid symbol.")
