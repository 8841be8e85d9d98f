"""Whether an event loop keeps the promises of `contracts.LoopFactory`, and can carry the bot."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

from harness.backends.conformance.failure import BrokenPromise, Failure, failures_of, require, shown, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harness.backends.contracts import LoopFactory

_LOOPBACK = "127.0.0.1"
#: More than the buffers of two sockets hold, so that writing has to wait for reading.
_LARGE = 32 * 1024 * 1024


def check_loop(factory: LoopFactory) -> list[Failure]:
    """Every promise that the loops of a factory broke; call it where no loop runs."""
    found = _making(factory)
    if found:
        return found
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            found = runner.run(failures_of(_CHECKS))
            loop = runner.get_loop()
    except Exception as error:  # noqa: BLE001 - any error of a backend is a finding
        return [*found, Failure(promise="asyncio.Runner can run and end the loop", happened=told(error))]
    if not loop.is_closed():
        found.append(Failure(promise="the loop is closed when its Runner ends", happened="it is open"))
    return found


def _making(factory: LoopFactory) -> list[Failure]:
    promise = "the factory makes a new loop that nobody runs, and that can be closed"
    try:
        first, second = factory(), factory()
    except Exception as error:  # noqa: BLE001 - as above
        return [Failure(promise=promise, happened=told(error))]
    made: object = first
    if not isinstance(made, asyncio.AbstractEventLoop):
        return [Failure(promise=promise, happened=f"it made {shown(made)}")]
    try:
        if first is second or first.is_running() or first.is_closed():
            return [Failure(promise=promise, happened="the loop is not new")]
    finally:
        first.close()
        second.close()
    return []


async def _running() -> None:
    loop = asyncio.get_running_loop()
    require(loop.is_running(), "is_running() is False in a coroutine that it runs")


async def _order() -> None:
    loop, seen = asyncio.get_running_loop(), list[object]()
    done = loop.create_future()
    for number in range(100):
        loop.call_soon(seen.append, number)
    loop.call_soon(done.set_result, None)
    await done
    require(seen == list(range(100)), f"callbacks came as {shown(seen)}")


async def _timers() -> None:
    loop, seen = asyncio.get_running_loop(), list[object]()
    done = loop.create_future()
    cancelled = loop.call_later(0.001, seen.append, "cancelled")
    for delay in (0.02, 0.005, 0.01):
        loop.call_later(delay, seen.append, delay)
    loop.call_later(0.03, done.set_result, None)
    cancelled.cancel()
    # The loop's own clock may be coarse; ours says whether it really waited.
    started = time.monotonic()
    await done
    require(seen == [0.005, 0.01, 0.02], f"timers of 20, 5 and 10 ms came as {shown(seen)}")
    require(time.monotonic() - started > 0.02, "a timer of 30 ms came after less than 20")


async def _timeouts() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.get_running_loop().create_future()
        raise BrokenPromise("asyncio.timeout did not end a wait")


async def _cancelling() -> None:
    seen = []

    async def sleeper() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            seen.append("ended")

    task = asyncio.get_running_loop().create_task(sleeper())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    require(task.cancelled() and seen == ["ended"], f"the task is {shown(task)}")


async def _threads() -> None:
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(woken.set_result, "woken"))
    thread.start()
    try:
        require(await woken == "woken", "call_soon_threadsafe did not wake the loop")
        require(await loop.run_in_executor(None, lambda: 7) == 7, "run_in_executor lost its result")
    finally:
        thread.join()


async def _streams() -> None:
    async with _echo() as port:
        reader, writer = await asyncio.open_connection(_LOOPBACK, port)
        writer.write(b"ping")
        require(await reader.readexactly(4) == b"ping", "four bytes did not come back")
        writer.write_eof()
        require(await reader.read() == b"", "the end of a stream was not seen")
        writer.close()
        await writer.wait_closed()


async def _back_pressure() -> None:
    async with _echo() as port:
        reader, writer = await asyncio.open_connection(_LOOPBACK, port)
        block = bytes(range(256)) * 256

        async def write() -> None:
            for _ in range(_LARGE // len(block)):
                writer.write(block)
                await writer.drain()
            writer.write_eof()

        writing = asyncio.get_running_loop().create_task(write())
        received = wrong = 0
        while data := await reader.read(len(block)):
            wrong += data != (block + block)[received % len(block) :][: len(data)]
            received += len(data)
        await writing
        writer.close()
        require(received == _LARGE, f"of {_LARGE} bytes sent, {received} came back")
        require(not wrong, "bytes came back changed")


async def _refused() -> None:
    server = await asyncio.start_server(_nobody, _LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    try:
        await asyncio.open_connection(_LOOPBACK, port)
    except OSError:
        return
    raise BrokenPromise("connecting where nobody listens raised nothing")


async def _unhandled() -> None:
    loop, seen = asyncio.get_running_loop(), list[object]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: seen.append(context.get("exception")))
    try:
        done = loop.create_future()
        loop.call_soon(_fail)
        loop.call_soon(done.set_result, None)
        await done
    finally:
        loop.set_exception_handler(before)
    require(len(seen) == 1 and isinstance(seen[0], LookupError), f"the handler was given {shown(seen)}")


def _fail() -> None:
    raise LookupError("for the handler")


async def _nobody(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@contextlib.asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, _LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


_CHECKS: dict[str, Callable[[], Awaitable[None]]] = {
    "the loop says that it runs": _running,
    "callbacks are called in the order they were given": _order,
    "timers are called in the order of their times, not before, and not when cancelled": _timers,
    "asyncio.timeout ends a wait": _timeouts,
    "a cancelled task ends": _cancelling,
    "another thread can wake the loop, and it can wait for one": _threads,
    "TCP streams carry bytes and their end": _streams,
    "TCP streams hold the writer back and lose nothing": _back_pressure,
    "a refused connection is an OSError": _refused,
    "an exception in a callback reaches the loop's handler, and the loop runs on": _unhandled,
}
