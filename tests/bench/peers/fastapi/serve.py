"""The reads of the marketplace over REST: FastAPI and SQLAlchemy, under uvicorn with
uvloop and httptools. --threads N is N workers."""
import argparse
import os

import uvicorn

import readiness


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--database", required=True)
    parser.add_argument("--token-key", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    options = read_options()
    host, port = options.listen.rsplit(":", 1)
    # Workers begin by importing the application: it finds its settings here.
    os.environ["DATABASE_URL"] = options.database
    os.environ["TOKEN_KEY"] = options.token_key
    readiness.announce(host, int(port))
    uvicorn.run(
        "app:app",
        host=host,
        port=int(port),
        workers=options.threads,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
