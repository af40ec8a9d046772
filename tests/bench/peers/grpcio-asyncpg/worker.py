"""One process: a gRPC server on an event loop."""
import asyncio
import signal
from pathlib import Path

import asyncpg
import grpc

import testservice_pb2
import testservice_pb2_grpc
from listings import Listings
from prbal.v1 import listing_pb2_grpc
from tokens import Tokens
from views import Views

CONNECTIONS = 8  # to the database
GRACE_SECONDS = 1


class Echo(testservice_pb2_grpc.TestServiceServicer):
    async def Echo(self, request, context):
        return testservice_pb2.EchoResponse(
            text=request.text, number=request.number, payload=request.payload
        )


def open_port(server, options):
    if options.tls is None:
        server.add_insecure_port(options.listen)
        return
    certificate, key = (Path(name).read_bytes() for name in options.tls)
    server.add_secure_port(
        options.listen, grpc.ssl_server_credentials([(key, certificate)])
    )


async def add_listings(server, options):
    """asyncpg prepares each statement once a connection, and speaks binary."""
    pool = await asyncpg.create_pool(
        options.database,
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        server_settings={"timezone": "UTC", "jit": "off"},
    )
    tokens = Tokens(Path(options.token_key).read_bytes())
    listing_pb2_grpc.add_ListingServiceServicer_to_server(
        Listings(pool, tokens, Views(pool)), server
    )


async def serve(options, on_ready):
    server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
    testservice_pb2_grpc.add_TestServiceServicer_to_server(Echo(), server)
    if options.database:
        await add_listings(server, options)
    open_port(server, options)
    await server.start()

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    on_ready()
    await ended.wait()
    await server.stop(GRACE_SECONDS)
