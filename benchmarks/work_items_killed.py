"""Owns the proof that work items survive: workers are killed (kill -9) in the middle, and each item is done once all the same.

Run by itself: python -m benchmarks.work_items_killed [--items 400]. Every completed item goes on in a second queue; what is counted
there tells what happened how often.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from idp.api.caller import Caller
from idp.api.commands.work_items import AddItem, CompleteItem, CountItems, QueryItems, TakeItem
from idp.api.document_store.sqlite import SqliteDocumentStore
from idp.api.once import Once
from idp.api.queues.chains import Chains
from idp.api.queues.declarations import Declarations, Wanted
from idp.api.queues.standing import Standing
from idp.api.queues.work_items import WorkItems
from idp.api.roles import Roles
from idp.base.clock import system_clock as clock

ADA = Caller("usr_ada", "app", frozenset(), frozenset(), 1e10, "t")
CHAINED = {
    "max_deliveries": 100,
    "on_success": "done",
    "chained_by": {"subject": ADA.subject, "client_id": ADA.client_id},
}
WORKERS = 3


def main() -> None:
    wanted = argparse.ArgumentParser(description="Kill workers of work items.")
    wanted.add_argument("--items", type=int, default=400)
    wanted.add_argument("--work-on", type=Path, help=argparse.SUPPRESS)
    given = wanted.parse_args()
    if given.work_on:
        work(given.work_on)
    with tempfile.TemporaryDirectory() as folder:
        kill_workers(Path(folder) / "documents.db", given.items)


def opened(path: Path) -> tuple[SqliteDocumentStore, Declarations, WorkItems]:
    store = SqliteDocumentStore(path)
    once, declarations = Once(store, clock), Declarations(store, clock)
    chains = Chains(declarations, Standing(Roles(store, once, clock)))
    return store, declarations, WorkItems(store, declarations, chains, once, clock)


def work(path: Path) -> None:
    _, _, items = opened(path)
    while True:
        if item := items.take(ADA, TakeItem(name="jobs", lease_seconds=1)).item:
            items.complete(ADA, CompleteItem(name="jobs", id=item.id, receipt=item.receipt, idempotency_key=item.id))
        else:
            time.sleep(0.02)


def kill_workers(path: Path, many: int) -> None:
    store, declarations, items = opened(path)
    for name, settings in (("done", {}), ("jobs", CHAINED)):
        store.commit(declarations.declared(ADA, Wanted(name, "work_items", None, False, settings), clock())[0])
    for n in range(many):
        items.add(ADA, AddItem(name="jobs", payload={"n": n}))
    completed = CountItems(name="jobs", filter={"state": "completed"})
    workers: list[subprocess.Popen[bytes]] = []
    kills = 0
    while items.count(ADA, completed).count < many:
        workers = [worker for worker in workers if worker.poll() is None]
        while len(workers) < WORKERS:
            workers.append(subprocess.Popen([sys.executable, "-m", __spec__.name, "--work-on", str(path)]))
        time.sleep(random.uniform(0.8, 1.6))
        random.choice(workers).kill()
        kills += 1
    for worker in workers:
        worker.kill()
        worker.wait()
    done = [item.payload["n"] for item in items.query(ADA, QueryItems(name="done", limit=1000)).items]
    again = items.count(ADA, CountItems(name="jobs", filter={"attempts": {"$gt": 1}})).count
    print(
        f"{kills} workers killed; {many} items: {len(done)} done, {len(set(done))} different ones, {again} taken anew"
    )


if __name__ == "__main__":
    main()
