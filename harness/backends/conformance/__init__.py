"""Checks that anybody can run on a backend of his own; each returns the promises that were broken.

    assert check_codec(MyCodec()) == []

The promises are the words of `harness.backends.contracts`.
"""

from harness.backends.conformance.cache import check_cache, check_returning_cache, check_unreachable_cache
from harness.backends.conformance.codec import check_codec
from harness.backends.conformance.failure import Failure
from harness.backends.conformance.loop import check_loop
from harness.backends.conformance.transport import check_transport

__all__ = [
    "Failure",
    "check_cache",
    "check_codec",
    "check_loop",
    "check_returning_cache",
    "check_transport",
    "check_unreachable_cache",
]
