"""Rules that a schema cannot express: dependencies between values, and values that only the server can create."""

import re
import uuid
from datetime import datetime, timedelta
from urllib.parse import quote

import schemathesis
from schemathesis import GenerationMode


@schemathesis.hook
def before_call(context, case, kwargs):
    isolate(case)
    if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
        make_processable(case)


@schemathesis.hook
def filter_case(context, case):
    """URLs with international characters are accepted, although they are IRIs, which `format: uri` does not include."""
    url = case.body.get("url") if isinstance(case.body, dict) else None
    return case.path != "/knowledge/crawl" or not isinstance(url, str) or url.isascii()


def isolate(case):
    """Gives each request its own IP address, so that the limit for unauthenticated callers does not apply, and makes
    each valid idempotency key unique, because reusing a key for another request is an error."""
    if case.headers is None:
        return
    fresh = uuid.uuid4()
    case.headers["X-Forwarded-For"] = "2001:db8:%x:%x::1" % (fresh.int & 0xFFFF, fresh.int >> 16 & 0xFFFF)
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(r"[!-~]{1,255}", key):
        case.headers["Idempotency-Key"] = str(fresh) + key[len(str(fresh)) :]


def make_processable(case):
    """Changes a request that matches its schema into one that the server can process."""
    query = case.query if isinstance(case.query, dict) else {}
    query.pop("cursor", None)  # only the server creates valid cursors
    if "/analytics/" in case.path:
        span(query)
    if case.path == "/knowledge/upload" and case.body in ("", b""):
        case.body = "a file is not empty"
    if isinstance(case.body, dict):
        make_body_processable(case.path, case.body)
    if case.headers is not None and isinstance(case.headers.get("X-Original-Name"), str):
        case.headers["X-Original-Name"] = quote(case.headers["X-Original-Name"][:80], safe=" ") + ".md"


def make_body_processable(path, body):
    """Names have no invisible characters, and a conversation is started with one person."""
    if isinstance(body.get("name"), str):
        body["name"] = "".join(c for c in body["name"] if c.isprintable()).strip() or "a name"
    if path == "/conversations" and "contactId" in body:
        body.pop("to", None)
    elif path == "/conversations":
        body.setdefault("to", "anna@example.com")


def span(query):
    """from must be before to, by at most 366 days."""
    end = parse(query.get("to")) or datetime.now().astimezone()
    begin = parse(query.get("from"))
    if begin is not None and not timedelta() < end - begin <= timedelta(days=366):
        del query["from"]
    if end.year < 2:
        query.pop("to", None)


def parse(text):
    try:
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text)) if isinstance(text, str) else None
    except ValueError:
        return None
