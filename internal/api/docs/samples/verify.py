import hashlib
import hmac
import time


def verify(secret: str, header: str, body: bytes) -> None:
    """Checks the X-Convo-Signature header against the raw body of the request."""
    parts = [part.split("=", 1) for part in header.split(",")]
    unix = dict(parts)["t"]
    if abs(time.time() - int(unix)) > 300:
        raise ValueError("timestamp is outside the tolerance")
    want = hmac.new(secret.encode(), unix.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not any(name == "v1" and hmac.compare_digest(value, want) for name, value in parts):
        raise ValueError("signature does not match")
