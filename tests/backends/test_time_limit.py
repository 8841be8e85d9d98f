from __future__ import annotations

import asyncio
import time

import pytest

from harness.backends.time_limit import TimeLimit


def test_a_block_that_waits_too_long_times_out(runner: asyncio.Runner) -> None:
    async def wait() -> None:
        with pytest.raises(TimeoutError, match="no answer within 10 ms"), TimeLimit(0.01):
            await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0.001)  # nothing is left over for the next wait

    runner.run(wait())


def test_a_block_that_ends_in_time_is_left_alone(runner: asyncio.Runner) -> None:
    async def wait() -> str:
        with TimeLimit(0.02):
            await asyncio.sleep(0)
        await asyncio.sleep(0.04)
        return "done"

    assert runner.run(wait()) == "done"


async def test_what_a_block_raises_by_itself_goes_through() -> None:
    with pytest.raises(LookupError), TimeLimit(1.0):
        raise LookupError


async def test_a_cancellation_from_outside_stays_one() -> None:
    entered = asyncio.Event()

    async def wait() -> None:
        with TimeLimit(60.0):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_the_limit_in_the_same_moment() -> None:
    async def wait() -> None:
        with TimeLimit(0.01) as limit:
            task = asyncio.current_task()
            assert task is not None
            for call in (lambda: time.sleep(0.05), limit._expire, limit._expire, task.cancel):
                asyncio.get_running_loop().call_soon(call)
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(wait())


async def test_it_times_out_as_well_in_a_task_that_is_being_cancelled() -> None:
    entered = asyncio.Event()
    ended = []

    async def wait() -> None:
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            try:
                with TimeLimit(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                ended.append("timed out")

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["timed out"]


def test_time_that_passed_before_the_block_is_not_charged_to_it(runner: asyncio.Runner) -> None:
    async def wait() -> str:
        time.sleep(0.6)  # noqa: ASYNC251 - a loop that keeps the time of its last waking is now behind
        with TimeLimit(0.5):
            await asyncio.to_thread(time.sleep, 0.05)
        return "done"

    assert runner.run(wait()) == "done"


def test_a_loop_that_was_busy_hears_the_answer_first(runner: asyncio.Runner) -> None:
    async def wait() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        with TimeLimit(0.02):
            # Both are due when the loop is free again; the limit was due first.
            loop.call_later(0.03, answer.set_result, "heard")
            loop.call_soon(time.sleep, 0.06)
            return await answer

    assert runner.run(wait()) == "heard"


def test_a_loop_that_was_busy_is_excused_once_only(runner: asyncio.Runner) -> None:
    async def wait() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 0.06)
        with TimeLimit(0.02):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        runner.run(wait())


def test_outside_of_a_task_there_is_nothing_to_limit() -> None:
    async def enter() -> None:
        failed: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        def without_task() -> None:
            try:
                TimeLimit(1.0).__enter__()
            except RuntimeError as error:
                failed.set_result(error)

        asyncio.get_running_loop().call_soon(without_task)
        assert "inside a task" in str(await failed)

    asyncio.run(enter())
