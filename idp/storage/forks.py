"""What happens to open connections when the process forks: the child gets none of them.
Leaves opening new ones to the engines."""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def after_fork(self) -> None:
        """Runs in the child, in its only thread, before anything else: forget what was inherited."""


_owners: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def watch(owner: Forkable) -> None:
    """Call owner.after_fork() in every child, as long as the owner lives."""
    _owners.add(owner)


def keep_for_good(inherited: object) -> None:
    """Even closing an inherited connection can damage what the parent does with it (sqlite.org/howtocorrupt.html, section
    2.6), and dropping the last reference closes. So one reference is taken that nobody ever gives back."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


def _in_child() -> None:
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
