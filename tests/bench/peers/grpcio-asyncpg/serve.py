"""Echo and the reads of the marketplace with grpc.aio, uvloop and asyncpg.

One process has one event loop and so one processor: more of them share the port
by SO_REUSEPORT, as gRPC's own example for several processes does.
"""
import argparse
import os
import signal
import sys


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--database")
    parser.add_argument("--token-key")
    return parser.parse_args()


def run_worker(options, on_ready):
    """gRPC starts threads when it is imported: each process does so itself."""
    import uvloop
    import worker

    uvloop.run(worker.serve(options, on_ready))


def start_worker(options, write_end):
    pid = os.fork()
    if pid != 0:
        return pid
    run_worker(options, lambda: os.write(write_end, b"."))
    os._exit(0)


def say_ready():
    print("ready", flush=True)


def run_workers(options):
    read_end, write_end = os.pipe()
    workers = [start_worker(options, write_end) for _ in range(options.threads)]
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(pid, signal.SIGTERM) for pid in workers])
    os.close(write_end)
    for _ in workers:
        if os.read(read_end, 1) == b"":
            sys.exit("a worker did not start")
    say_ready()
    for pid in workers:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    chosen = read_options()
    if chosen.threads == 1:
        run_worker(chosen, say_ready)
    else:
        run_workers(chosen)
