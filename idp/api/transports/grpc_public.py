"""Owns what a gRPC server tells anybody: its health (grpc.health.v1) and its methods (server reflection). Both are as public as
/readyz and companion.proto; no token, and nothing that could be held open.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import aio as reflection

from idp.api.node import Node
from idp.api.transports.proto_schema import PACKAGE, schema
from idp.base.errors import Refused

REFLECTION_SECONDS: Final = 30.0


def add_to(server: Any, node: Node, pool: DescriptorPool) -> None:
    """pool: holds the descriptors of the companion, and gets those of health and reflection."""
    files = (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
    for file in files:
        pool.AddSerializedFile(file.serialized_pb)
    public = [service.full_name for file in files for service in file.services_by_name.values()]
    ours = [f"{PACKAGE}.{service}" for service in schema().services()]
    health_pb2_grpc.add_HealthServicer_to_server(_Health(node, {"", *ours, *public}), server)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(_Reflection([*ours, *public], pool), server)


class _Health(health_pb2_grpc.HealthServicer):
    """As /readyz, whichever service is asked for: all of them need the same store and broker."""

    def __init__(self, node: Node, services: set[str]) -> None:
        self._node = node
        self._services = services

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the protocol)
        if request.service not in self._services:
            await context.abort(StatusCode.NOT_FOUND, "There is no such service here.")
        status = health_pb2.HealthCheckResponse
        try:
            await self._node.ready()
        except Refused:
            return status(status=status.NOT_SERVING)
        return status(status=status.SERVING)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        await context.abort(StatusCode.UNIMPLEMENTED, "Ask with Check.")


class _Reflection(reflection.ReflectionServicer):
    async def ServerReflectionInfo(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        try:
            async with asyncio.timeout(REFLECTION_SECONDS):
                async for told in super().ServerReflectionInfo(requests, context):
                    yield told
        except TimeoutError:
            return
