"""One micro-batch a core, rather than all cores on one micro-batch.

When several cores share one small matrix product they wait for each other after each, and if another process takes
one of them away for a moment, all stand still. Cores that work on micro-batches of their own never wait.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_all_cores(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    context: Callable[[], AbstractContextManager[Any]],
    threads: int,
) -> Iterator[tuple[Item, Result]]:
    """Do ``work`` for every item, in several threads, each of them on one core.

    Args:
        work: Called with one item; may run in several threads at once.
        items: In the order in which they are begun.
        context: Entered once in each thread around all of its work (autocast and inference mode are per thread).
        threads: How many; with 1, the caller's thread does the work with all the cores that torch may use.

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
        torch.set_num_threads(1)
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

    allowed = torch.get_num_threads()
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
        torch.set_num_threads(allowed)  # a thread's own setting is also the default of threads to come
