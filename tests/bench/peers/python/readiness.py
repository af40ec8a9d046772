"""Says `ready` once the server answers HTTP."""
import http.client
import threading
import time


def answers(host, port):
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    except OSError:
        return False
    finally:
        connection.close()


def wait_and_say(host, port):
    while not answers(host, port):
        time.sleep(0.02)
    print("ready", flush=True)


def announce(host, port):
    threading.Thread(target=wait_and_say, args=(host, port), daemon=True).start()
