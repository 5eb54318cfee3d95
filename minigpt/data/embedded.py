"""Text that every Python has: its help topics, the docstrings and the source of its standard library."""
import ast
import functools
import sysconfig
import tokenize
import warnings
from pathlib import Path

_SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


def python_source() -> list[str]:
    """The files of the standard library without its tests, in order of their paths.

    Left out as well: files that are not valid text, and what the build of Python wrote about its machine.
    """
    return [text for _, text in python_files()]


def python_files() -> list[tuple[tuple[str, ...], str]]:
    """(parts of its path, text) of each of these files."""
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = {path.relative_to(root).parts: path for path in root.rglob("*.py")}
    texts = [(parts, _read(paths[parts])) for parts in sorted(paths)
             if _SKIPPED.isdisjoint(parts) and not parts[-1].startswith("_sysconfigdata")]
    return [(parts, text) for parts, text in texts if text]


def python_docs(keep=lambda docstring: True) -> list[str]:
    """Python's help topics, one document each, then the standard library's docstrings, one document for each module.

    A docstring that is there several times is taken the first time only. keep: says which are taken at all.
    """
    seen: set[str] = set()
    modules = []
    for text in python_source():
        fresh = [docstring for docstring, _ in docstrings(text) if docstring not in seen and keep(docstring)]
        fresh = list(dict.fromkeys(fresh))
        seen.update(fresh)
        modules.append("\n\n".join(fresh))
    return _topics() + [module for module in modules if module]


def _topics():
    try:
        from pydoc_data.topics import topics
    except ImportError:   # some systems ship the standard library in pieces
        return []
    return [topics[name] for name in sorted(topics)]


def _read(path):
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError, OSError):
        return ""


@functools.lru_cache(maxsize=1024)   # parsing all of it takes seconds, and a corpus and its task both want it
def docstrings(text: str) -> tuple[tuple[str, str], ...]:
    """(docstring, name of the outermost class around it, else "") of a file, dedented, in the order of the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # a backslash in an old string is not our business
        try:
            tree = ast.parse(text)
        except SyntaxError:
            return ()
    found = sorted(_documented(tree), key=lambda pair: getattr(pair[0], "lineno", 0))
    return tuple((docstring, owner) for node, owner in found if (docstring := ast.get_docstring(node)))


def _documented(node, owner=""):
    """(node, owner) of everything that can have a docstring: statements are looked through, expressions are not."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node, owner
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, field, ())
        for child in inner if isinstance(inner, list) else ():      # the body of a lambda is no list
            is_outermost = isinstance(node, ast.Module) and isinstance(child, ast.ClassDef)
            yield from _documented(child, child.name if is_outermost else owner)
