"""Async executors: every form of them, one loop a process, and hosts that have a loop of their own."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest

from engine import Output, Pause, RetryPolicy, Snapshot, Status, Step
from engine.errors import EventLoopRunning
from engine.event_loop import run_awaitable
from tests.engine.one_node import NOW_MS, engine_of, first_step, result_of


def by_loop(executor: Callable[..., Any], data: Any = None, **options: Any) -> Snapshot:
    """The first step by the async way, in a loop of the test's own."""
    engine = engine_of(executor, data, **options)

    async def step() -> Snapshot:
        initial = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
        return await engine.execute_step_async(initial, now_ms=NOW_MS)

    return asyncio.run(step())


def without_loop(executor: Callable[..., Any], data: Any = None, **options: Any) -> Snapshot:
    """The first step by the plain way."""
    return first_step(engine_of(executor, data, **options))


WAYS = pytest.mark.parametrize("way", [without_loop, by_loop])


def plain(data: Any) -> object:
    """Not async at all."""
    return [data["n"]]


async def asynchronous(data: Any) -> object:
    """The usual form."""
    await asyncio.sleep(0)
    return [data["n"]]


async def with_step(data: Any, step: Step) -> object:
    """With the step."""
    await asyncio.sleep(0)
    return [data["n"]] if step.node_id == "it" else None


def gives_coroutine(data: Any) -> Awaitable[object]:
    """Plain by its look, async by what it returns."""
    return asynchronous(data)


class Later:
    """An awaitable that is no coroutine."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, object]:
        yield from asyncio.sleep(0).__await__()
        return self.value


class Form:
    """Objects that can be called, plain and async, and methods of them."""

    async def __call__(self, data: Any) -> object:
        """Like ``asynchronous``."""
        return await asynchronous(data)

    async def method(self, data: Any, _step: Step) -> object:
        """Bound."""
        return await asynchronous(data)


async def of_two(first: list[object], data: Any) -> object:
    """For a partial."""
    return first + [data["n"]]  # noqa: RUF005  (a list that is the caller's stays as it is)


@WAYS
@pytest.mark.parametrize(
    "executor",
    [
        plain,
        asynchronous,
        with_step,
        gives_coroutine,
        lambda data: Later([data["n"]]),
        Form(),
        Form().method,
        functools.partial(of_two, []),
    ],
    ids=["plain", "async", "with step", "gives coroutine", "awaitable", "object", "method", "partial"],
)
def test_every_form_of_executor_works_for_every_host(way: Callable[..., Snapshot], executor: Any) -> None:
    """With a loop of the host's own and without."""
    assert way(executor, {"n": 1}).output == [1]


@WAYS
def test_an_async_executor_reports_as_any_other(way: Callable[..., Snapshot]) -> None:
    """Outputs with handles, pauses, errors and their retries."""

    async def choose(_data: object) -> Output:
        return Output(1, "nowhere")

    async def wait(_data: object) -> Pause:
        return Pause("go")

    async def fail(_data: object) -> None:
        raise OSError("busy")

    assert result_of(way(choose)).error_type == "UnmatchedHandle"
    assert way(wait).status is Status.PAUSED
    failed = way(fail, retry_policy=RetryPolicy(2, interval=5))
    assert (failed.status, failed.due_at_ms, result_of(failed).error) == (Status.ERROR, NOW_MS + 5, "OSError: busy")


async def one_by_one(_data: object) -> AsyncIterator[int]:
    """An async generator."""
    yield 1


def one_after_another(_data: object) -> Iterator[int]:
    """A generator."""
    yield 1


@WAYS
@pytest.mark.parametrize("executor", [one_by_one, one_after_another])
def test_a_generator_is_no_result(way: Callable[..., Snapshot], executor: Any) -> None:
    """It is neither awaitable nor JSON: the step fails for good and says what it got."""
    error = result_of(way(executor, retry_policy=RetryPolicy(3, interval=1)))
    assert (error.error_type, error.attempt) == ("InvalidOutput", 1)
    assert "generator is not JSON" in (error.error or "")


def test_all_steps_of_a_process_share_one_loop() -> None:
    """Whichever engine, run or thread: a client bound to its loop stays usable, also after a failure."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def where(data: Any) -> None:
        loops.append(asyncio.get_running_loop())
        if data == "fail":
            raise OSError

    engines = [engine_of(where), engine_of(where, "fail"), engine_of(where)]
    for engine in engines:
        first_step(engine)
    thread = threading.Thread(target=first_step, args=(engines[0],))
    thread.start()
    thread.join()
    assert len(loops) == 4
    assert all(loop is loops[0] for loop in loops)
    assert not loops[0].is_closed()


def test_a_task_may_outlive_its_step() -> None:
    """What an executor leaves running on the loop goes on with the next step there."""
    tasks: list[asyncio.Task[str]] = []

    async def in_background(gate: asyncio.Event) -> str:
        await gate.wait()
        return "done"

    async def begin(_data: object) -> None:
        gate = asyncio.Event()
        tasks.append(asyncio.get_running_loop().create_task(in_background(gate)))
        asyncio.get_running_loop().call_soon(gate.set)

    async def collect(_data: object) -> str:
        return await tasks[0]

    first_step(engine_of(begin))
    assert first_step(engine_of(collect)).output == "done"


def test_threads_take_turns_on_the_loop() -> None:
    """Steps of several threads neither fail nor mix, however they meet."""
    threads, rounds = 6, 20
    begin = threading.Barrier(threads)
    outputs: list[tuple[int, object]] = []

    async def give_way(data: Any) -> object:
        for _ in range(3):
            await asyncio.sleep(0)
        return data["n"]

    def work(number: int) -> None:
        engine = engine_of(give_way, {"n": number})
        begin.wait()
        outputs.extend((number, first_step(engine).output) for _ in range(rounds))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(outputs) == threads * rounds
    assert all(number == output for number, output in outputs)


WHOSE: contextvars.ContextVar[str] = contextvars.ContextVar("WHOSE", default="nobody")


@WAYS
def test_an_executor_sees_its_callers_context_and_leaves_it_as_it_was(way: Callable[..., Snapshot]) -> None:
    """A log's correlation id is that of this run; what one run's executor sets is not the next one's."""

    async def look(_data: object) -> str:
        seen = WHOSE.get()
        WHOSE.set("an executor's")
        return seen

    for name in ("first", "second"):
        token = WHOSE.set(name)
        assert way(look).output == name
        assert WHOSE.get() == name
        WHOSE.reset(token)
    assert way(look).output == "nobody"


@pytest.mark.parametrize("executor", [asynchronous, lambda data: Later(data["n"])], ids=["coroutine", "awaitable"])
def test_the_plain_way_inside_a_running_loop_is_told_to_the_host(executor: Any) -> None:
    """It is the host's mistake and no failure of the node's: nothing is recorded, and the message says what to call.

    Nothing of the executor has run, and nothing is left behind that was never awaited.
    """
    engine = engine_of(executor, {"n": 1}, retry_policy=RetryPolicy(3, interval=1))
    initial = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)

    async def mistaken() -> Snapshot:
        with pytest.raises(EventLoopRunning, match="use execute_step_async"):
            engine.execute_step(initial, now_ms=NOW_MS)
        return await engine.execute_step_async(initial, now_ms=NOW_MS)

    assert asyncio.run(mistaken()).version == 1
    gc.collect()


def test_the_plain_way_inside_a_running_loop_is_fine_for_plain_executors() -> None:
    """They need no loop."""
    engine = engine_of(plain, {"n": 1})

    async def host() -> Snapshot:
        return first_step(engine)

    assert asyncio.run(host()).output == [1]


def test_async_steps_of_one_host_run_side_by_side() -> None:
    """One that waits does not keep the others: that is what a host has its loop for."""
    order: list[str] = []

    async def meet(data: Any) -> str:
        order.append(f"{data} begins")
        for _ in range(3):
            await asyncio.sleep(0)
        order.append(f"{data} ends")
        return str(data)

    async def host() -> list[Snapshot]:
        engines = [engine_of(meet, name) for name in ("a", "b")]
        return await asyncio.gather(
            *(
                engine.execute_step_async(engine.create_initial_snapshot("run-1", now_ms=NOW_MS), now_ms=NOW_MS)
                for engine in engines
            )
        )

    assert [snapshot.output for snapshot in asyncio.run(host())] == ["a", "b"]
    assert order == ["a begins", "b begins", "a ends", "b ends"]


def test_a_host_that_cancels_a_step_has_no_failure_of_it() -> None:
    """The step did not fail: it did not happen, and may be executed again."""

    async def for_ever(_data: object) -> None:
        await asyncio.get_running_loop().create_future()

    engine = engine_of(for_ever)

    async def host() -> None:
        step = engine.execute_step_async(engine.create_initial_snapshot("run-1", now_ms=NOW_MS), now_ms=NOW_MS)
        task = asyncio.get_running_loop().create_task(step)
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(host())


def test_the_loop_can_be_used_without_an_engine() -> None:
    """It gives what the awaitable gives and raises what it raises."""
    assert run_awaitable(Later(5)) == 5
    with pytest.raises(KeyError):
        run_awaitable(asynchronous({}))
