"""Echo by grpcio.

A pool of threads answers. grpc.aio took 10-20 % more CPU per call on uvloop
(8 connections of 1 and of 10 calls in flight, server on one core) and 25-40 % on
asyncio's own loop.

Python runs one thread at a time, so that --threads N is N processes that share
the port, as grpc's own example of multiprocessing does it.
"""

import argparse
import multiprocessing
import signal
import socket
import sys
from concurrent import futures

import grpc

import testservice_pb2 as pb
import testservice_pb2_grpc as stubs

# 1 and 10 cost 5 % more.
POOL_THREADS = 4


class TestService(stubs.TestServiceServicer):
    def Echo(self, request, context):
        return pb.EchoResponse(
            text=request.text, number=request.number, payload=request.payload
        )


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def listen(server, options):
    if not options.tls:
        return server.add_insecure_port(options.listen)
    cert, key = (open(path, "rb").read() for path in options.tls)
    credentials = grpc.ssl_server_credentials([(key, cert)])
    return server.add_secure_port(options.listen, credentials)


def serve(options, on_ready):
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=POOL_THREADS),
        options=[("grpc.so_reuseport", int(options.threads > 1))],
    )
    stubs.add_TestServiceServicer_to_server(TestService(), server)
    listen(server, options)
    server.start()
    on_ready()
    server.wait_for_termination()


def say_ready():
    print("ready", flush=True)


def claim_port(options):
    """Nobody else has the port, and until the workers do, nobody takes it."""
    address, port = options.listen.rsplit(":", 1)
    with socket.socket() as exclusive:
        exclusive.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        exclusive.bind((address, int(port)))
    claim = socket.socket()
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    claim.bind((address, int(port)))
    return claim


def serve_by_processes(options):
    ready = multiprocessing.Semaphore(0)
    with claim_port(options):
        workers = [
            multiprocessing.Process(
                target=serve, args=(options, ready.release), daemon=True
            )
            for _ in range(options.threads)
        ]
        for worker in workers:
            worker.start()
        # Daemons: an exit of this process takes them along.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for _ in workers:
            ready.acquire()
    say_ready()
    for worker in workers:
        worker.join()


def main():
    options = read_options()
    if options.threads == 1:
        serve(options, say_ready)
    else:
        serve_by_processes(options)


if __name__ == "__main__":
    main()
