"""Owns the thread that tells takers who wait that a queue of the embedded broker may have something for them.

Other processes write the same file, so it looks whether the file has changed, and at the times that were set.
"""

import threading
from collections.abc import Callable

from idp.api.brokers.waiting import Listeners, Wake
from idp.api.sqlite_file import SqliteFile
from idp.base.clock import Clock
from idp.base.errors import Refused

LOOK_SECONDS = 0.02
READY = "SELECT EXISTS (SELECT 1 FROM letter WHERE queue = ? AND dead IN (0, 1) AND ready_at = 0)"
TIMED = """
SELECT EXISTS (SELECT 1 FROM letter WHERE ready_at > 0 AND ready_at <= ?)
  OR EXISTS (SELECT 1 FROM letter WHERE expires_at IS NOT NULL AND expires_at <= ? AND receipt IS NULL)
"""


class Bell:
    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._listeners = Listeners()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def listen(self, queue: str, wake: Wake) -> Callable[[], None]:
        self._listeners.add(queue, wake)
        with self._lock:  # lazily: a thread does not survive a fork
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="queue-bell", daemon=True)
                self._thread.start()
        return lambda: void(self._listeners.remove(queue, wake))

    def ring(self, queue: str) -> None:
        """For what this process itself has put there."""
        self._listeners.ring(queue)

    def close(self) -> None:
        self._ending.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        seen = -1
        while not self._ending.wait(LOOK_SECONDS):
            queues = self._listeners.queues()
            if queues:
                seen = self._look(queues, seen)

    def _look(self, queues: list[str], seen: int) -> int:
        try:
            with self._file.reading() as connection:
                version = int(connection.execute("PRAGMA data_version").fetchone()[0])
                now = self._clock()
                timed = connection.execute(TIMED, (now, now)).fetchone()[0]
                if version == seen and not timed:
                    return seen
                rung = [q for q in queues if timed or connection.execute(READY, (q,)).fetchone()[0]]
        except Refused:  # the file does not answer: who takes is told so
            return seen
        for queue in rung:
            self._listeners.ring(queue)
        return version


def void(_: object) -> None: ...
