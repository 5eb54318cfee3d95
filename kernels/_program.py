"""What the programs of this package share: `python -m kernels.report` and `python -m kernels.benchmark`."""
import argparse
import ast
import difflib
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
INTERRUPTED, BROKEN_PIPE = 130, 141                    # what a shell says of SIGINT and SIGPIPE


class Refused(Exception):
    """What we cannot do. The message is one line: what is wrong, the value, and the way out."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line, and whose help ends with examples."""

    def __init__(self, prog, description, examples):
        super().__init__(prog=prog, description=description, epilog="examples:\n  " + "\n  ".join(examples),
                         allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message):
        """Raise Refused."""
        raise Refused(f"{message}; {self.prog} --help shows all")


def run(main, name):
    """The exit status of main(): 2 and one line on stderr for what is Refused, 130 for Ctrl-C, 141 if nobody reads."""
    try:
        status = main()
        sys.stdout.flush()
        return status
    except Refused as refusal:
        print(f"{name}: {' '.join(str(refusal).splitlines())}", file=sys.stderr)
        return 2
    except BrokenPipeError:                            # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def modules(function):
    """Names of the modules of this package that define a function of that name; read as text, none is imported."""
    found = []
    for path in sorted(HERE.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body):
            found.append(path.stem)
    return found


def chosen(names, known, what):
    """The names, or all known ones if there are none; raises Refused for one that is not known, with the nearest."""
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=2, cutoff=0.4)
            hint = f"did you mean {' or '.join(close)}? " if close else ""
            raise Refused(f"no {what} {name!r}; {hint}known: {', '.join(known)}")
    return list(dict.fromkeys(names)) or list(known)
