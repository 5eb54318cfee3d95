"""Running the app: on a socket that is bound first, in the foreground or, for notebooks and tests, beside you."""
import asyncio
import contextlib
import errno
import os
import socket
import threading

import uvicorn

from minigpt.errors import InputError
from minigpt.server.app import create_app
from minigpt.server.line import Line

GRACE = 3               # seconds that running answers have when the server stops
CONNECTIONS = 256       # open at a time


def bind(host, port):
    """A listening socket. Raises InputError if the address cannot be had."""
    if not 0 <= port < 2**16:
        raise InputError(f"--port {port} must lie between 0 and 65535; try 8000")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(f"--host {host}: no such address; leave it out for this machine only") from error
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":                         # at once after a server that stopped; on Windows beside one
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is in use, maybe by another server of yours; stop that, or try --port "
                             f"{port + 1 if port < 65535 else port - 1}") from error
        raise InputError(f"cannot listen on {host} port {port}: {error.strerror}; try --port 8000") from error
    return sock


def url_of(sock):
    """The address of a bound socket, to be asked from this machine."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Ends what is being written before it waits for the connections to close."""

    def __init__(self, served, line, hosts=(), **limits):
        app = create_app(served, line, hosts, **limits)
        super().__init__(uvicorn.Config(app, log_level="warning", access_log=False, ws="none", server_header=False,
                                        proxy_headers=False, limit_concurrency=CONNECTIONS,
                                        timeout_graceful_shutdown=GRACE))
        self.line = line

    async def shutdown(self, sockets=None):
        """End."""
        self.line.close()
        await super().shutdown(sockets)
        await asyncio.to_thread(self.line.wait, GRACE)


@contextlib.contextmanager
def in_background(served, port=0, line=None, **limits):
    """A server beside you, inside a `with` block, which gets its address: http://127.0.0.1:PORT"""
    sock = bind("127.0.0.1", port)
    server = Server(served, Line() if line is None else line, **limits)
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        yield url_of(sock)
    finally:
        server.should_exit = True
        thread.join(GRACE + 5)
