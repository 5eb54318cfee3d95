"""The waiting line before the model: one thread works on a few requests in turn, a step of each, so all go on."""
import asyncio
import contextlib
import threading
from collections import deque

END = object()


class Full(Exception):
    """There is no room to wait in. Its argument: how many are in line."""


class Stopped(Exception):
    """The server is stopping."""


class Line:
    """Requests that wait for the model, first come, first served.

    at_once: requests that are answered side by side. waiting: requests that may wait beside them.
    """

    def __init__(self, at_once=4, waiting=16):
        self.at_once, self.waiting = at_once, waiting
        self._tickets, self._changed, self._closed = deque(), threading.Condition(), False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def __len__(self):
        return len(self._tickets)

    def require_room(self):
        """Raise Full or Stopped unless one more may join now."""
        if self._closed:
            raise Stopped
        if len(self._tickets) >= self.at_once + self.waiting:
            raise Full(len(self._tickets))

    def join(self, steps):
        """A Ticket for an iterator, whose steps are made in the line's thread; None is a step that nobody sees.

        Raises Full or Stopped.
        """
        with self._changed:
            self.require_room()
            ticket = Ticket(self, steps)
            self._tickets.append(ticket)
            self._changed.notify()
        return ticket

    def leave(self, ticket):
        """Take a ticket out of the line; a step that is being made is still finished."""
        with self._changed, contextlib.suppress(ValueError):
            self._tickets.remove(ticket)
            ticket.deliver(END)

    def close(self):
        """Send everybody home; a step that is being made is still finished (see `wait`)."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets:
                ticket.deliver(Stopped())
            self._tickets.clear()
            self._changed.notify()

    def wait(self, seconds):
        """Wait, so long at most, until the last step is finished."""
        self._thread.join(seconds)

    def _work(self):
        while ticket := self._next():
            if not ticket.step():
                self.leave(ticket)

    def _next(self):
        """Whose turn it is: each of the first `at_once` after the other; None when the line is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._tickets or self._closed)
            if self._closed:
                return None
            first = [self._tickets.popleft() for _ in range(min(self.at_once, len(self._tickets)))]
            self._tickets.extendleft(reversed([*first[1:], first[0]]))
            return first[0]


class Ticket:
    """A place in the line; an asynchronous iterator of the steps that were made, for the event loop that joined."""

    def __init__(self, line, steps):
        self._line, self._steps = line, steps
        self._loop, self._made = asyncio.get_running_loop(), asyncio.Queue()

    def leave(self):
        """Give the place up."""
        self._line.leave(self)

    def step(self):
        """Make a step and deliver it; whether there may be more."""
        try:
            if (made := next(self._steps)) is not None:
                self.deliver(made)
        except StopIteration:
            return False
        except Exception as error:                     # it is for who asked; the line goes on
            self.deliver(error)
            return False
        return True

    def deliver(self, item):
        """Hand something to the event loop, unless that has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._made.put_nowait, item)

    async def __aiter__(self):
        while (item := await self._made.get()) is not END:
            if isinstance(item, Exception):
                raise item
            yield item
