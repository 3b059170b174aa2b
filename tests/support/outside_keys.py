"""Owns a stand-in for an HSM: a process of its own holds the private keys and signs; ours speaks JSON lines with it.

`python -m tests.support.outside_keys` is that process; `OutsideKeys` is what the setting oidc.external_keys would name.
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idp.domain.signing_key import KeyUse

ROOT = Path(__file__).parent.parent.parent
USUAL: tuple[tuple[KeyUse, str], ...] = (("id_token", "RS256"), ("access_token", "ES256"))


class OutsideKeys:
    """An idp.ports.ExternalKeys. make: what it holds at first."""

    def __init__(self, make: Sequence[tuple[KeyUse, str]] = USUAL) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.outside_keys"],
            cwd=ROOT,
            text=True,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid
        for use, alg in make:
            self.make(use, alg)

    def signers(self) -> Sequence["OutsideSigner"]:
        return [OutsideSigner(self, **one) for one in self.ask(do="list")]

    def make(self, use: KeyUse, alg: str) -> None:
        """What an operator does at the device."""
        self.ask(do="make", use=use, alg=alg)

    def ask(self, **asked: str) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class OutsideSigner:
    """An idp.ports.ExternalSigner."""

    keys: OutsideKeys = field(repr=False)
    kid: str
    use: KeyUse
    alg: str
    public_jwk: Mapping[str, Any]

    def sign(self, message: bytes) -> bytes:
        return base64.b64decode(self.keys.ask(do="sign", kid=self.kid, message=base64.b64encode(message).decode()))


def main() -> None:
    from idp.crypto.algs import signing
    from idp.crypto.new_keys import _generate, _thumbprint, public_numbers

    held: dict[str, tuple[dict[str, Any], Any]] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["do"] == "make":
                private = _generate(asked["alg"])
                numbers = public_numbers(private.public_key())
                kid = _thumbprint(numbers)
                facts = {"kid": kid, "use": asked["use"], "alg": asked["alg"], "public_jwk": numbers}
                held[kid] = facts, signing(asked["alg"], private)
                result: Any = kid
            elif asked["do"] == "list":
                result = [facts for facts, _ in held.values()]
            else:
                signed = held[asked["kid"]][1](base64.b64decode(asked["message"]))
                result = base64.b64encode(signed).decode()
            answer = {"result": result}
        except Exception as error:
            answer = {"error": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
