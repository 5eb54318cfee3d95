"""The command line: `python -m minigpt NAME ...` runs minigpt/commands/NAME.py."""
import argparse
import ast
import contextlib
import difflib
import errno
import importlib
import os
import pathlib
import signal
import sys
import textwrap

import minigpt
from minigpt.errors import Assigned, InputError

COMMANDS = pathlib.Path(__file__).parent / "commands"
INTERRUPTED, BROKEN_PIPE = 130, 141                    # what a shell says of SIGINT and SIGPIPE
NO_MEMORY = ("allocate memory", "not enough memory", "out of memory")   # PyTorch has no exception for it


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line, and knows what you may have meant."""

    def error(self, message):
        """Raise InputError."""
        wrong = message.removeprefix("unrecognized arguments: ").split("=")[0].split()[0]
        close = difflib.get_close_matches(wrong, self._option_string_actions, n=1)
        hint = f"did you mean {close[0]}? " if close and message.startswith("unrecognized") else ""
        if message.endswith("expected one argument"):
            hint = "a value that begins with - is written with =, as in --seed=-1; "
        raise InputError(f"{message}; {hint}{self.prog} --help shows all")


def main(argv=None) -> int:
    """Run a command; the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    for name in ("stdout", "stderr"):                  # a program that is started with one closed has none
        setattr(sys, name, getattr(sys, name) or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    with contextlib.suppress(AttributeError):          # a terminal that cannot show a sign shows "?"
        sys.stdout.reconfigure(errors="replace")
    try:
        status = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return status
    except BrokenPipeError:                            # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt as stop:
        return _say(str(stop) or "interrupted", INTERRUPTED)
    except Exception as error:
        if not (words := _in_words(error, (argv or sys.argv[1:])[:1])):
            raise
        return _say(f"error: {words}", 2)
    finally:
        if argv is None:                               # the process ends: a key held down changes nothing now
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def commands() -> dict[str, str]:
    """Name -> what it does, of every command; read from the files, since importing them takes seconds."""
    found = {}
    for path in sorted(COMMANDS.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if {"add_arguments", "run"} <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            found[path.stem] = (ast.get_docstring(tree) or "").split("\n")[0]
    return found


def _run(argv):
    name = argv[0] if argv else "--help"
    if name == "--version":
        print(f"minigpt {minigpt.__version__}")
        return 0
    known = commands()
    if name in ("-h", "--help"):
        print(_overview(known))
        return 0
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"no command {name!r}; {hint}known: {', '.join(known)}")
    command = importlib.import_module(f"minigpt.commands.{name}")
    examples = textwrap.indent(command.EXAMPLES, "  ")
    parser = Parser(prog=f"python -m minigpt {name}", description=command.__doc__, allow_abbrev=False,
                    epilog=f"examples:\n{examples}", formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_arguments(parser)
    try:
        args = parser.parse_args(argv[1:])
    except SystemExit as done:                         # after --help
        return done.code or 0
    return command.run(args)


def _overview(known):
    width = max(map(len, known))
    lines = [f"  {name:<{width}}  {text}" for name, text in known.items()]
    return "\n".join([minigpt.__doc__, "", "usage: python -m minigpt COMMAND ...", "", *lines, "",
                      "python -m minigpt COMMAND --help shows the flags of one, and examples."])


def _in_words(error, command):
    """What to tell the user; nothing if the mistake is ours."""
    if missing := _assigned(error):
        return f"{''.join(command)} stops here: {missing}"
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return f"the disk is full{f' ({error.filename})' if error.filename else ''}; make room and try again"
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return (f"there is not enough memory for this ({str(error).partition(chr(10))[0]}); try a smaller model, "
                "--batch-size or --context-length")
    return ""


def _assigned(error):
    """The Assigned behind an error, which Triton's interpreter wraps into one of its own; or None."""
    while error is not None and not isinstance(error, Assigned):
        error = error.__cause__ or error.__context__
    return error


def _say(message, status):
    print(f"minigpt: {' '.join(message.splitlines())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
