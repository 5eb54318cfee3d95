"""The judge's side of the border: a student's functions as functions of this process, each call a message."""
import contextlib
import itertools
import pathlib
import threading
import time

from minigpt.grading import sandbox
from minigpt.grading.crossing import Asked, Ended, Hang, StudentError, exception, graft, known
from minigpt.grading.frames import LENGTHS, Malformed, Reader, Writer, check_lengths, generator

SHOWN = 2_000           # bytes kept of what a student's code prints


class Student:
    """The functions of a folder with a student's files, in a process that is started again when it was lost.

    seconds: for one call; loading has `load_seconds`. hangs, starts: how often a call may hang, and the process be
    lost, within one exercise before that is given up; a student with many hangs gets one for each exercise.
    """

    def __init__(self, folder, *, contained=True, limits=None, seconds=5.0, load_seconds=30.0, hangs=2, starts=12,
                 number=0):
        self.folder, self.contained, self.limits, self.number = pathlib.Path(folder), contained, limits, number
        self.seconds, self.load_seconds, self.most_hangs, self.most_starts = seconds, load_seconds, hangs, starts
        self.process, self.functions, self.errors, self.printed, self.shown = None, [], {}, 0, b""
        self.numbers, self.lost, self.all_hangs, self.wrote = itertools.count(1), None, 0, set()
        self.withheld = []                             # full names of answers of the package that it does not give
        self.next_exercise()

    def __enter__(self):
        try:
            self._start()
        except (StudentError, Malformed) as error:
            self.errors = {"": f"{error}, when its files were loaded"}
            self._stop()
        return self

    def __exit__(self, *error):
        self._stop()

    def next_exercise(self):
        """Count hangs and starts anew."""
        self.n_hangs = self.n_starts = 0
        self.lost, self.wrote = None, set()

    def next_test(self):
        """Forget what was lost in the test before."""
        self.lost = None

    @property
    def given_up(self):
        """Why the rest of an exercise is not tried, or ""."""
        if self.n_hangs >= (self.most_hangs if self.all_hangs < 3 * self.most_hangs else 1):
            return f"given up after {self.n_hangs} calls that did not end in {self.seconds:g} s"
        return f"given up after the process was lost {self.n_starts} times" if self.n_starts >= self.most_starts else ""

    def call(self, name, args, options, keep=False):
        """The result of one of the student's functions. Raises what it raised, or StudentError."""
        if self.lost:                                  # within one test a hang is waited for once
            raise self.lost
        try:
            if self.process is None:
                self._start()
            return self._call(name, args, options, keep)
        except (StudentError, Malformed) as error:
            self.lost = error
            self._stop()
            self.n_hangs += isinstance(error, Hang)
            self.all_hangs += isinstance(error, Hang)
            self.n_starts += 1
            raise

    def _call(self, name, args, options, keep):
        asked, number, deadline = Asked(), next(self.numbers), time.monotonic() + self.seconds
        self._send(Writer(asked.special).frame("call", (number, name, tuple(args), options, keep, self.withheld)),
                   deadline)
        while True:
            kind, value = self._receive(deadline)
            if kind != "ask":
                break
            self._send(asked.answer(*value), deadline)
        if kind not in ("result", "raised") or value[0] != number:
            raise Malformed(f"an answer out of turn: {kind}")
        if kind == "raised":
            raise asked.error or exception(*value[1:])
        if value[2] is not None:
            self.wrote |= {name} if value[3] else set()
            graft((tuple(args), options), value[2])
        return known(value[1])

    def _start(self):
        self.process = sandbox.start(self.folder, self.limits, contained=self.contained, number=self.number)
        threading.Thread(target=self._drain, args=[self.process.popen.stdout], daemon=True).start()
        kind, value = self._receive(time.monotonic() + self.load_seconds)
        if kind != "ready":
            raise Malformed(f"not a beginning: {kind}")
        self.functions, self.errors = list(map(str, value["functions"])), value["errors"]

    def _stop(self):
        if self.process is not None:
            sandbox.stop(self.process)
            self.process = None

    def _drain(self, pipe):
        with contextlib.suppress(OSError, ValueError):
            while part := pipe.read1(1 << 16):
                self.shown = self.shown or part[:SHOWN]
                self.printed += len(part)

    def _send(self, data, deadline):
        with self._in_time(deadline):
            self.process.channel.sendall(data)

    def _receive(self, deadline):
        header, body = LENGTHS.unpack(self._exactly(LENGTHS.size, deadline))
        check_lengths(header, body)
        header = self._exactly(header, deadline)
        special = {"named": lambda parts: tuple(parts[2]), "generator": generator}
        return Reader(special).read(header, self._exactly(body, deadline))

    def _exactly(self, n, deadline):
        data = bytearray()
        while len(data) < n:
            with self._in_time(deadline):
                part = self.process.channel.recv(min(n - len(data), 1 << 20))
            if not part:
                raise Ended(self._why_ended())
            data += part
        return bytes(data)

    @contextlib.contextmanager
    def _in_time(self, deadline):
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self.process.channel.settimeout(left)
            yield
        except TimeoutError:
            raise Hang("it did not come back in time") from None
        except OSError:
            raise Ended(self._why_ended()) from None

    def _why_ended(self):
        with contextlib.suppress(Exception):
            status = self.process.popen.wait(timeout=1)
            return {0: "it ended the interpreter"}.get(status, f"its process ended with status {status}")
        return "its process ended"


class Remote:
    """A student's function: called like one, it sends what it is given, and returns what comes back."""

    def __init__(self, student, name, signature, keep):
        self.student, self.name, self.keep, self.__name__ = student, name, keep, name
        self.__signature__ = signature                 # of the exercise: the student's word is not taken for it

    def __call__(self, *args, **options):
        return self.student.call(self.name, args, options, self.keep)
