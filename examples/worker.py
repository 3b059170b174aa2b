"""A worker: takes work items, counts the words of the file that each names, and stores the result as a document.

    pip install ./clients/python
    CLIENT_ID=… CLIENT_SECRET=… python examples/worker.py          # --once: until there is nothing left

Start as many as you like, kill them as you like: the item of a dead worker is given to the next one when its lease ends,
and its result is stored once, because the id of the item is the idempotency key.
"""

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sheaf_client import Client, ClientCredentials, Problem

API = os.environ.get("SHEAF_API", "http://127.0.0.1:8001")
ISSUER = os.environ.get("SHEAF_ISSUER", "http://127.0.0.1:8000")
SCOPES = ["documents.read", "documents.write", "queues.consume"]
LEASE_SECONDS = 30
QUEUE = "counting"


def main() -> None:
    tokens = ClientCredentials(ISSUER, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], SCOPES)
    with Client(API, tokens) as sheaf:
        while True:
            item = sheaf.work_items.take(name=QUEUE, lease_seconds=LEASE_SECONDS)["item"]
            if item is not None:
                work(sheaf, item)
            elif "--once" in sys.argv:
                return
            else:
                time.sleep(1)


def work(sheaf: Client, item: dict) -> None:
    held = {"name": QUEUE, "id": item["id"], "receipt": item["receipt"]}
    try:
        with renewed(sheaf, held):
            result = [counted(sheaf, file) for file in item["files"]]
        for one in result:
            sheaf.documents.insert(collection="counts", data=one, idempotency_key=f"{item['id']}-{one['file']}")
        sheaf.work_items.complete(**held, payload={"counted": result})
        print(f"{item['id']}: {result}", flush=True)
    except Problem as problem:
        # Given back, it is tried again later, and is `failed` after the attempts that the queue allows.
        sheaf.work_items.fail(**held, reason=str(problem))
        print(f"{item['id']}: {problem}", flush=True)


def counted(sheaf: Client, file: dict) -> dict:
    text = io.BytesIO()
    sheaf.download_file(text, collection=file["collection"], id=file["id"])
    about = sheaf.files.get(collection=file["collection"], id=file["id"])
    return {"file": file["id"], "name": about["name"], "words": len(text.getvalue().split())}


@contextmanager
def renewed(sheaf: Client, held: dict) -> Iterator[None]:
    """The lease is renewed for as long as the work takes."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LEASE_SECONDS / 3):
            sheaf.work_items.renew(**held, lease_seconds=LEASE_SECONDS)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
