"""The door: who may ask, and how much one may send. Everything here happens before the body is read as JSON."""
import asyncio
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from minigpt.server.refusals import Refusal

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
DRAINED = 64 * 2**20    # bytes of a body that is too large which are read and forgotten


class Guard:
    """ASGI middleware around the app.

    A page on the internet can make its visitor's browser send requests to this machine. So the name in the header
    Host must be ours, or a number: a stranger's name that points here (DNS rebinding) is turned away; and a request
    with an Origin must come from our own page.
    hosts: names that are ours beside the loopback's. body_bytes, seconds: the most of a body, and for sending it.
    """

    def __init__(self, app, hosts=(), body_bytes=128 * 1024, seconds=20):
        self.app, self.hosts = app, LOOPBACK | {host.lower() for host in hosts}
        self.body_bytes, self.seconds = body_bytes, seconds

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":                    # the beginning and the end of the server
            return await self.app(scope, receive, send)
        try:
            self._require_ours(Headers(scope=scope))
            body = await self._body(receive)
        except Refusal as refusal:
            return await refusal.response()(scope, receive, send)
        return await self.app(scope, _replay(body, receive), send)

    def _require_ours(self, headers):
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            raise Refusal(403, f"the header Host: {host[:100]} is not a name of this server; ask for "
                               "http://127.0.0.1, or start it with --host NAME", code="unknown_host")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Refusal(403, f"pages of {origin[:100]} may not ask this server", code="foreign_origin")

    def _is_ours(self, host):
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            return name in self.hosts or bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    async def _body(self, receive):
        """The whole body. Raises Refusal if it is too large, or comes too slowly."""
        parts, size, more = [], 0, True
        try:
            async with asyncio.timeout(self.seconds):
                while more and size <= DRAINED:        # who is cut off in mid-sentence does not hear why
                    message = await receive()
                    size += len(message.get("body", b""))
                    more = message.get("more_body", False)
                    if size <= self.body_bytes:
                        parts.append(message.get("body", b""))
        except TimeoutError as error:
            raise Refusal(408, f"the body did not come within {self.seconds} seconds; send it again") from error
        if size > self.body_bytes:
            raise Refusal(413, f"the body is larger than {self.body_bytes:,} bytes; send a shorter text",
                          code="request_too_large")
        return b"".join(parts)


def _replay(body, receive):
    """A receive that tells the body, and then whatever comes."""
    told = False

    async def tell():
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}
    return tell
