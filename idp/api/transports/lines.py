"""Owns framed JSON over TCP with TLS and over a Unix socket: one frame is one line. The frames themselves are framed.py's."""

import asyncio
import json
import ssl
from typing import Any

from idp.api.node import Node
from idp.api.problems import tell
from idp.api.transports.framed import MAX_FRAME_BYTES, Connection, Peer
from idp.base.errors import Refused
from idp.base.mtls import thumbprint

ABORT_SECONDS = 2.0


async def serve(node: Node, transport: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def send(text: str) -> None:
        writer.write(text.encode() + b"\n")
        await writer.drain()

    task = asyncio.current_task()
    assert task
    connection = Connection(node, _peer(transport, writer), send, task.cancel)
    try:
        with node.connected(connection):
            while line := await reader.readline():
                if line.strip():
                    await connection.take(line)
    except ValueError:  # no end of the line within the limit
        message = f"A frame is at most {MAX_FRAME_BYTES} bytes, and ends with a line feed."
        await _last(writer, Refused("frame_too_large", message, status=413), transport)
    except Refused as refused:
        await _last(writer, refused, transport)
    except (asyncio.CancelledError, OSError):  # hung up, by us or by them
        pass
    finally:
        connection.end()
        writer.close()
        # A client that takes nothing would keep the rest of what was sent, and the connection with it, for ever.
        asyncio.get_running_loop().call_later(ABORT_SECONDS, writer.transport.abort)


async def _last(writer: asyncio.StreamWriter, refused: Refused, transport: str) -> None:
    told = tell(refused, transport=transport)
    writer.write(json.dumps({"id": None, "problem": told.body}).encode() + b"\n")


def _peer(transport: str, writer: asyncio.StreamWriter) -> Peer:
    name: Any = writer.get_extra_info("peername")
    tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True) if tls else None
    # Headers that a proxy could set do not exist here: the certificate is that of the handshake with us.
    return Peer(transport, name[0] if isinstance(name, tuple) else "", {}, thumbprint(shown) if shown else None)
