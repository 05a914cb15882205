"""One micro-batch a core, rather than all cores on one micro-batch.

When several cores share one small matrix product they wait for each other after each, and if another process takes
one of them away for a moment, all stand still. Cores that work on micro-batches of their own never wait.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_all_cores(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    context: Callable[[], AbstractContextManager[Any]],
    threads: int,
) -> Iterator[tuple[Item, Result]]:
    """:func:`in_threads` for work that torch does: each thread on one core; with 1, on all that torch may use."""
    import torch

    if min(threads, len(items)) <= 1:
        yield from in_threads(work, items, context, 1)
        return
    allowed = torch.get_num_threads()

    @contextmanager
    def on_one_core() -> Iterator[None]:
        torch.set_num_threads(1)
        with context():
            yield

    try:
        yield from in_threads(work, items, on_one_core, threads)
    finally:
        torch.set_num_threads(allowed)  # a thread's own setting is also the default of threads to come


def in_threads(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    context: Callable[[], AbstractContextManager[Any]],
    threads: int,
) -> Iterator[tuple[Item, Result]]:
    """Do ``work`` for every item, in several threads.

    Args:
        work: Called with one item; may run in several threads at once.
        items: In the order in which they are begun.
        context: Entered once in each thread around all of its work (autocast and inference mode are per thread).
        threads: How many; with 1, the caller's thread does the work.

    Yields:
        Each item with its result, in the order in which they are ready.
    """
    threads = min(threads, len(items))
    if threads <= 1:
        with context():
            for item in items:
                yield item, work(item)
        return
    pending, taking, stop = zip(items, strict=True), threading.Lock(), threading.Event()
    ready: queue.SimpleQueue[tuple[Item, Result] | BaseException | None] = queue.SimpleQueue()

    def worker() -> None:
        try:
            with context():
                while not stop.is_set():
                    with taking:
                        item = next(pending, None)
                    if item is None:
                        break
                    ready.put((item[0], work(item[0])))
        except BaseException as error:  # raised again where the results are taken
            ready.put(error)
        else:
            ready.put(None)

    workers = [threading.Thread(target=worker) for _ in range(threads)]
    try:
        for thread in workers:
            thread.start()
        while threads:
            done = ready.get()
            if isinstance(done, BaseException):
                raise done
            if done is None:
                threads -= 1
            else:
                yield done
    finally:
        stop.set()
        for thread in workers:
            thread.join()


def one_ahead(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Do ``work`` for every item in order, for the next one in a thread while the caller is busy with the last.

    Args:
        work: Called with one item; at most two results are held at once.
        items: Any number; a single one is worked on in the caller's thread.

    Yields:
        The results in the order of the items.
    """
    if len(items) < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(copy_context().run, work, items[0])
        for item in items[1:]:
            done = coming.result()
            coming = pool.submit(copy_context().run, work, item)
            yield done
        yield coming.result()
