"""A trial of a codec alone, inside the worker. pyperf is the timer; blocks and order are the runner's."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Any

import pyperf

from harness.backends.proof import codec_in_use, loop_in_use
from harness.backends.registry import registry
from harness.results.model import Measurement
from harness.run.messages import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.backends.contracts import Codec
    from harness.backends.stack import Stack
    from harness.run.messages import CodecJob


def run_codec(stack: Stack, job: CodecJob) -> Outcome:
    """Microseconds a document, one value a pyperf value, for every document of the job."""
    codec = registry().codec(stack.codec)
    timer = _Timer(job)
    measurements = [
        timer.measure("decode_us", name, _decoding(codec, [text.encode() for text in texts]), len(texts))
        for name, texts in job.decode.items()
    ]
    measurements += [
        timer.measure("encode_us", name, _encoding(codec, codec.loads(text.encode())), 1)
        for name, text in job.encode.items()
    ]
    return Outcome(active={**asyncio.run(_loop()), "codec": codec_in_use(codec)}, measurements=measurements)


class _Timer:
    """pyperf as one of its own workers: it neither calibrates, nor starts processes, nor orders anything."""

    def __init__(self, job: CodecJob) -> None:
        self._loops = job.loops
        self._runner = pyperf.Runner()
        self._runner.parse_args(
            ["--worker", "--quiet", "--loops", str(job.loops), "--values", str(job.values), "--warmups", "2"]
        )

    def measure(self, metric: str, name: str, call: Callable[[], Any], documents: int) -> Measurement:
        """The call's time divided by the documents that it handles; as many loops as keep the work equal."""
        self._runner.args.loops = max(1, self._loops // documents)
        with contextlib.redirect_stdout(io.StringIO()):
            bench = self._runner.bench_func(f"{metric} {name}", call)
        return Measurement(
            metric=metric,
            labels={"document": name},
            values=[value * 1e6 / documents for value in bench.get_values()],
        )


def _decoding(codec: Codec, documents: list[bytes]) -> Callable[[], None]:
    loads = codec.loads

    def decode() -> None:
        for document in documents:
            loads(document)

    return decode


def _encoding(codec: Codec, value: object) -> Callable[[], None]:
    dumps = codec.dumps

    def encode() -> None:
        dumps(value)

    return encode


async def _loop() -> dict[str, str]:
    return {"loop": loop_in_use()}
