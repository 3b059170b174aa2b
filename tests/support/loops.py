"""Owns running coroutines in tests: in a thread of their own, because the browser of another test may have left a running loop in
this one.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_loop(work: Coroutine[Any, Any, T], *, seconds: float = 60.0) -> T:
    """What it returns; what it raises comes out here. TimeoutError when it takes longer."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds):  # no task besides: some tests count them
            return await work

    with ThreadPoolExecutor(1, thread_name_prefix="loop") as pool:
        return pool.submit(asyncio.run, bounded()).result()
