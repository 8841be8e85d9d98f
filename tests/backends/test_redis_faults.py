from __future__ import annotations

import pytest

exceptions = pytest.importorskip("redis.exceptions")

from harness.backends.redis_faults import Fault, fault_of, is_wrong_type, refusal_of, told  # noqa: E402 - as above

SECRET = "hunter2-hunter2"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (exceptions.ConnectionError("Connection refused"), Fault.AWAY),
        (exceptions.TimeoutError("Timeout"), Fault.AWAY),
        (exceptions.BusyLoadingError("loading"), Fault.AWAY),
        (exceptions.InvalidResponse("HTTP/1.1"), Fault.AWAY),
        (TimeoutError(), Fault.AWAY),
        (OSError(), Fault.AWAY),
        (RecursionError(), Fault.AWAY),
        (exceptions.AuthenticationError("invalid username-password pair"), Fault.LOCKED),
        (exceptions.AuthenticationWrongNumberOfArgsError("AUTH"), Fault.LOCKED),
        (exceptions.OutOfMemoryError("command not allowed"), Fault.REFUSED),
        (exceptions.ReadOnlyError("read only replica"), Fault.REFUSED),
        (exceptions.NoPermissionError("no permissions"), Fault.REFUSED),
        (exceptions.ResponseError("WRONGTYPE Operation"), Fault.REFUSED),
        (exceptions.DataError("Invalid input of type"), Fault.REFUSED),
    ],
)
def test_what_an_error_means(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_a_wrong_type_is_told_from_other_refusals() -> None:
    assert is_wrong_type(exceptions.ResponseError("WRONGTYPE Operation against a key"))
    assert not is_wrong_type(exceptions.ResponseError("ERR WRONGTYPE"))
    assert not is_wrong_type(TimeoutError("WRONGTYPE"))


def test_a_server_cannot_invent_kinds_of_refusal_without_end() -> None:
    kinds = {refusal_of(exceptions.ResponseError(f"WORD{number} and more")) for number in range(1_000)}
    assert kinds == {"ResponseError"}
    assert refusal_of(exceptions.ResponseError("WRONGTYPE Operation")) == "WRONGTYPE"
    assert refusal_of(exceptions.OutOfMemoryError("command not allowed")) == "OutOfMemoryError"


def test_what_is_told_of_an_error_holds_no_secret_and_is_one_line_of_bounded_length() -> None:
    text = told(exceptions.ConnectionError(f"redis://bot:{SECRET}@host:6379/0\r\nforged line " + "x" * 10_000))
    assert SECRET not in text
    assert "\n" not in text
    assert text.startswith("redis://bot:***@host:6379/0 forged line")
    assert len(text) == 200
    assert told(TimeoutError()) == "TimeoutError"
