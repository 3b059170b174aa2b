"""Owns the change of keys: what is sealed under old keys comes under the current one, and the proof that nothing is left.

Online: writers go on meanwhile (the store exchanges only what nobody changed), and none of them writes under an old key any
more (sealing.py). What is left is counted by the store, so a run that was cut off goes on where it was. Only administrators.
"""

import copy
from typing import Any

from idp.api.caller import Caller
from idp.api.commands import keys as commands
from idp.api.document_store.contract import DocumentStore, Sealed
from idp.api.documents import history
from idp.api.documents.keyring import CannotOpen
from idp.api.documents.sealing import Sealer
from idp.base.errors import Refused


class Keys:
    def __init__(self, store: DocumentStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def report(self, caller: Caller, asked: commands.ReportKeys) -> commands.KeysReport:
        _require_administrator(caller)
        current, loaded = self._sealer.keyring.current(), self._sealer.keyring.ids()
        counts = dict.fromkeys(loaded, 0) | self._store.count_sealed()
        return commands.KeysReport(
            keys=[
                commands.KeyReport(key=key, current=key == current, loaded=key in loaded, sealed=counts[key])
                for key in sorted(counts)
            ]
        )

    def reseal(self, caller: Caller, asked: commands.Reseal) -> commands.Resealed:
        _require_administrator(caller)
        current = self._sealer.keyring.current()
        done = 0
        failed: list[dict[str, Any]] = []
        for key in sorted(self._store.count_sealed().keys() - {current}):
            for old in self._store.sealed_under(key, asked.limit - done - len(failed)):
                try:
                    done += self._exchange(old)
                except CannotOpen as error:
                    failed.append(
                        {"collection": old.collection, "id": old.id, "version": old.past_version, "why": str(error)}
                    )
            if done + len(failed) >= asked.limit:
                break
        left = sum(count for key, count in self._store.count_sealed().items() if key != current)
        return commands.Resealed(resealed=done, left=left, failed=failed)

    def _exchange(self, old: Sealed) -> bool:
        body = copy.deepcopy(old.body)
        # Of a document its data, of a line of history its delta: as a whole, the one has the form of the other.
        held = body if old.past_version else {"whole": body}
        seals = set()
        for path, _ in old.seals:
            found = history.place(held, path)
            if found is None:
                raise CannotOpen(f"nothing stands at {path}")
            container, name = found
            container[name] = text = self._sealer.resealed((old.collection, old.id), path, container[name])
            seals.add((path, text.partition(".")[0]))
        return self._store.reseal(old, body, frozenset(seals))


def _require_administrator(caller: Caller) -> None:
    caller.require_unnarrowed("manage keys")
    if not caller.is_administrator:
        raise Refused("not_permitted", "Only administrators may manage keys.", status=403)
