"""Work that needs nothing of each other, spread over the processor's cores."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: Callable[[Any], Any]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], at_once: int
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item in order, so many at once.

    Where processes can be forked, ``work`` may be any function, and only items and results need to
    be picklable. Elsewhere one item follows the other.
    """
    global _work
    if at_once == 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(work, items)
        return
    _work = work
    with multiprocessing.get_context("fork").Pool(at_once) as pool:
        yield from pool.imap(_call, items)


def _call(item: Any) -> Any:
    return _work(item)
