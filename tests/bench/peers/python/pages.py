"""Page tokens like Prbal's: the keys of the last row, with a MAC."""
import base64
import hashlib
import hmac
import os

DEFAULT_SIZE = 12
SIZE_MAX = 100
TOTAL_MAX = 1000  # counting on would cost more than anybody gains

MAC_BYTES = 16
KEY = os.urandom(32)


def token(*values):
    texts = [str(value).encode() for value in values]
    keys = b"".join(len(text).to_bytes(1, "big") + text for text in texts)
    mac = hmac.digest(KEY, b"\1" + keys, hashlib.sha256)[:MAC_BYTES]
    return base64.urlsafe_b64encode(b"\1" + mac + keys).rstrip(b"=").decode()


def micros(moment):
    """A datetime with a zone, as a key."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
