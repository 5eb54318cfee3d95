"""The student's process: loads the student's files, and answers calls of their functions. It runs inside the sandbox.

    python -P student.py SETTINGS         (JSON; at the other end of the socket `channel` is the judge)

Everything here may be changed by the student's code, which shares this process. That gains nothing: the judge has
the expected values in another process, and takes nothing from here but arrays, numbers and texts.
"""
import ctypes
import importlib.util
import itertools
import json
import os
import pathlib
import resource
import signal
import socket
import sys
import traceback
from collections import OrderedDict
from collections.abc import Iterator

KEPT = 64                                              # caches that are remembered
LONGEST = 1_000_000                                    # values taken from an iterator
LIMITS = {"cpu": resource.RLIMIT_CPU, "memory": resource.RLIMIT_AS, "processes": resource.RLIMIT_NPROC,
          "file_size": resource.RLIMIT_FSIZE, "files": resource.RLIMIT_NOFILE}
PARENT_DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38         # of prctl


def main():
    """Limit this process, load the files, and answer until the judge hangs up."""
    settings = json.loads(sys.argv[1])
    confine(settings)
    channel = Channel(socket.socket(fileno=settings["channel"]))
    answers = withheld.Withheld()                      # made before any code of the student's has run
    functions, errors = load(settings["files"])
    channel.send("ready", {"functions": list(functions), "errors": errors})
    kept = OrderedDict()
    while True:
        _, (number, name, args, options, keep, names) = channel.receive(kept)
        answers.withhold(names)
        before = channel.image((args, options))
        try:
            value = answer(functions[name](*args, **options), keep, kept)
            wrote = channel.image((args, options)) != before
            back = (args, options) if wrote or drawn_from((args, options)) else None
            writer = frames.Writer({np.random.Generator: frames.numbers_of})
            reply = writer.frame("result", (number, value, back, wrote))
        except BaseException as error:                 # SystemExit too: the process goes on
            reply = frames.Writer().frame("raised", (number, *in_words(error)))
        channel.connection.sendall(reply)


def confine(settings):
    """Give up privileges, and set the limits; what is forbidden from here on stays forbidden."""
    libc = ctypes.CDLL(None)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if settings["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[settings["uid"]] * 3)
        os.setresuid(*[settings["uid"]] * 3)
    libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)      # after the change of user, which clears it
    for name, limit in settings["limits"].items():
        resource.setrlimit(LIMITS[name], (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.insert(0, settings["package"])
    os.chdir(settings["folder"])


def load(files):
    """{name: function} that the files define, the last one winning, and {file: why it does not run}."""
    functions, errors = {}, {}
    for at, file in enumerate(files):
        spec = importlib.util.spec_from_file_location(f"submission_{at}", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            kinds, message, line = in_words(error)
            errors[file] = f"{kinds[0]}: {message}" + (f" (line {line})" if line else "")
        functions |= {name: value for name, value in list(vars(module).items())
                      if callable(value) and getattr(value, "__module__", None) == spec.name}
    return functions, errors


def answer(value, keep, kept):
    """What is sent of a function's result: of (y, cache) with `keep`, y, and a number for the cache, which stays."""
    if keep and isinstance(value, tuple) and not hasattr(value, "_fields") and len(value) == 2:
        number = next(reversed(kept), 0) + 1
        kept[number] = value[1]
        while len(kept) > KEPT:
            kept.popitem(last=False)
        return plain(value[0]), frames.Kept(number)
    return plain(value)


def plain(value):
    """A result in the types that cross: tensors as arrays, iterators as lists, subclasses as what they extend."""
    if isinstance(value, np.ndarray):
        return np.array(value, subok=False)
    if type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, Iterator):
        return [plain(part) for part in itertools.islice(value, LONGEST)]
    return value


def drawn_from(arguments):
    """Whether there is a generator among the arguments: it comes back, as it was left."""
    args, options = arguments
    return any(isinstance(value, np.random.Generator) for value in (*args, *options.values()))


def in_words(error):
    """(types from its own to the most general, message, line of the student's file or None) of an exception."""
    places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
              if pathlib.Path(frame.filename).name.startswith("submission")]
    try:
        message = str(error)
    except BaseException:
        message = "an exception that cannot be shown"
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else (places or [None])[-1]
    return [kind.__name__ for kind in type(error).__mro__], message[:500], line


class Channel:
    """The connection to the judge: frames in both directions."""

    def __init__(self, connection):
        self.connection, self.asked = connection, itertools.count()

    def send(self, kind, value):
        self.connection.sendall(frames.Writer().frame(kind, value))

    def receive(self, kept):
        """The next message. It ends the process when the judge hangs up."""
        header, body = frames.LENGTHS.unpack(self._exactly(frames.LENGTHS.size))
        special = {"kept": lambda number: kept[number], "function": self._function, "config": config,
                   "generator": frames.generator}
        return frames.Reader(special).read(self._exactly(header), self._exactly(body))

    def image(self, value):
        """The bytes of what was handed over, to see afterwards whether it has changed; a generator may."""
        try:
            return frames.Writer({np.random.Generator: lambda rng: ("generator", None)}).frame("", value)
        except Exception:                              # a cache that does not cross; it never has to
            return b""

    def _exactly(self, n):
        data = bytearray()
        while len(data) < n:
            part = self.connection.recv(min(n - len(data), 1 << 20))
            if not part:
                os._exit(0)
            data += part
        return data

    def _function(self, number):
        """A function of the judge's, called by its number."""
        def ask(*args):
            self.send("ask", (number, plain(args)))
            kind, value = self.receive({})
            if kind == "refused":
                raise ValueError(value)
            return value

        return ask


def config(fields):
    """The model's configuration: minigpt.config is imported only where one is handed over."""
    from minigpt.config import TransformerConfig
    return TransformerConfig(**fields)


def beside(name):
    """A file that lies beside this one, as a module; its folder is not put where student's code looks for modules."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    frames, withheld = beside("frames"), beside("withheld")
    import numpy as np  # after confine() it could no longer be found
    main()
