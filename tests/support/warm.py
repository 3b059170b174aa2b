"""Owns running `idp …` in a child of a process that has loaded its modules already: what a fresh process spends on imports is
longer than what most commands take, and the tests run hundreds of them.

The child has its own environment, folder, input, output and exit code, as a fresh process has. What is about the start
itself (servers, signals, what is loaded) takes the installed command; so does whatever changes how Python runs.
"""

import array
import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_warm: "tuple[subprocess.Popen[bytes], socket.socket] | None" = None


def run(
    words: Sequence[str], *, stdin: str, env: Mapping[str, str], cwd: Path, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run of `words`, the first being the installed `idp`, with captured text."""
    changed = {name for name in {*env, *os.environ} if env.get(name) != os.environ.get(name)}
    if any(not name.startswith(("IDP_", "PYTEST_")) for name in changed):
        return subprocess.run(
            words, input=stdin, env=env, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
        )
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        code = _ask({"words": list(words), "env": dict(env), "cwd": str(cwd)}, [given, out, err], seconds)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(list(words), code, *texts)


def _ask(order: Mapping[str, object], files: Sequence[object], seconds: float) -> int:
    numbers = [file.fileno() for file in files]  # type: ignore[attr-defined]
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            _door().sendmsg(
                [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno(), *numbers]))]
            )
        ours.settimeout(seconds)
        ours.sendall(json.dumps(order).encode())
        ours.shutdown(socket.SHUT_WR)
        try:
            said = ours.recv(16)
        except TimeoutError:
            raise subprocess.TimeoutExpired(order["words"], seconds) from None  # type: ignore[arg-type]
    return int(said)


def _door() -> socket.socket:
    global _warm
    if _warm is None or _warm[0].poll() is not None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())]
            process = subprocess.Popen(
                command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        _warm = process, ours
        atexit.register(_end, *_warm)
    return _warm[1]


def _end(process: "subprocess.Popen[bytes]", door: socket.socket) -> None:
    door.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)


# ---------------------------------------------------------------- the other side


def _serve(door: socket.socket) -> None:
    import idp.assemble
    import idp.cli.main
    import idp.storage.sqlite  # noqa: F401

    while True:
        said, ancillary, _, _ = door.recvmsg(1, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        if not said:
            return
        numbers = array.array("i", bytes(ancillary[0][2]))
        # Twice, so that nobody is left to be waited for: the middle one tells how the command ended.
        middle = os.fork()
        if middle == 0:
            with socket.socket(fileno=numbers[0]) as asking:
                order = json.loads(b"".join(iter(lambda: asking.recv(65536), b"")))
                child = os.fork()
                if child == 0:
                    _become(order, numbers[1:])
                _, status = os.waitpid(child, 0)
                with contextlib.suppress(OSError):
                    asking.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for number in numbers:
            os.close(number)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _become(order: Mapping[str, object], numbers: Sequence[int]) -> None:
    import random
    import traceback

    code = 1
    try:
        for number, place in zip(numbers, (0, 1, 2), strict=True):
            os.dup2(number, place)
        os.closerange(3, 256)
        os.chdir(str(order["cwd"]))
        os.environ.clear()
        os.environ.update(order["env"])  # type: ignore[call-overload]
        sys.argv = order["words"]  # type: ignore[assignment]
        random.seed()
        from idp.cli.main import main

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
