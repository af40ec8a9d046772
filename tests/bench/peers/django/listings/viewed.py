"""Views of services that wait to be written, by a thread of their own."""
import threading
import time

from django.db import connection

import view_counts

RECORD = view_counts.statement("%(services)s::uuid[]", "%(viewers)s::uuid[]")

lock = threading.Lock()
waiting = []


def write_soon():
    time.sleep(view_counts.DELAY_SECONDS)
    with lock:
        batch = waiting[:]
        waiting.clear()
    services, viewers = map(list, zip(*batch))
    with connection.cursor() as cursor:
        cursor.execute(RECORD, {"services": services, "viewers": viewers})
    connection.close()


def add(service_id, viewer_id):
    with lock:
        is_first = not waiting
        if len(waiting) < view_counts.BATCH_MAX:
            waiting.append((service_id, viewer_id))
    if is_first:
        threading.Thread(target=write_soon, daemon=True).start()
