"""The student's own functions: found by name in a file or in the folder my/."""
import difflib
import importlib
import importlib.util
import pathlib
import sys

from minigpt.bridge import from_numpy
from minigpt.errors import InputError
from minigpt.swap import known_names


def load_mine(path):
    """Functions by name from a Python file, or from every Python file of a folder: {name: function}.

    Runs the file: it is the user's own code. Only what the file itself defines counts, not what it imports.
    Raises InputError if there is no such file, it does not run, or it defines nothing that we know.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"--mine {path}: no such file or folder; `python -m minigpt start` shows how to begin")
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    mine = {}
    for file in files:
        mine |= _functions_of(file)
    known = [name for concept in known_names() for name in (concept, f"{concept}_forward", f"{concept}_backward")]
    if not set(mine) & set(known) and not any(name.endswith("_kernel") for name in mine):
        close = [near for name in mine for near in difflib.get_close_matches(name, known, n=1, cutoff=0.8)]
        hint = f"did you mean {close[0]}? It " if close else ""
        raise InputError(f"--mine {path}: {hint}defines none of {', '.join(known[::3])} "
                         f"(or X_forward and X_backward for one of them)")
    return mine


def halves(mine):
    """Names of X_forward without X_backward, or the other way round: no replacement for X."""
    pairs = [(f"{concept}_forward", f"{concept}_backward") for concept in known_names()]
    return [name for pair in pairs if len(set(pair) & set(mine)) == 1 for name in pair if name in mine]


def replacements(mine):
    """{name: torch function} for `minigpt.use`: NumPy pairs are bridged, torch functions used as they are."""
    pairs = {n.removesuffix("_forward") for n in mine if n.endswith("_forward")}
    bridged = {n: from_numpy(mine[f"{n}_forward"], mine[f"{n}_backward"])
               for n in pairs if f"{n}_backward" in mine}
    known = known_names()
    return {name: f for name, f in (mine | bridged).items() if name in known}


def mine_op(mine, concept):
    """The student's implementation of a concept for its contract, or None if there is none.

    A room holds the functions that its reference has: X_forward and X_backward, or names of their own.
    """
    from minigpt.grading.op import Op, implementations  # `check` needs this file, and only contracts need an Op
    if concept.endswith("_kernel"):
        ours = [op for op in implementations(concept) if set(mine) & {n for n in op.functions if n.endswith("_kernel")}]
        return ours[0].with_functions("mine", mine) if ours else None
    if concept in mine and f"{concept}_forward" not in mine:
        return Op(concept, "mine", mine, is_torch=True)
    path = pathlib.Path(__file__).parent / "reference" / f"{concept}.py"
    room = vars(importlib.import_module(f"minigpt.reference.{concept}")) if path.exists() else {concept: None}
    return Op(concept, "mine", mine) if set(mine) & set(room) else None


def _functions_of(file):
    name = f"mine_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise InputError(f"--mine {file}: not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        line = getattr(error, "lineno", None) or _last_line(error, spec.origin)
        where = f"{file}, line {line}" if line else file
        raise InputError(f"--mine {where}: {type(error).__name__}: {error}") from error
    return {n: f for n, f in vars(module).items() if callable(f) and _home(f) == name}


def _home(function):
    return getattr(getattr(function, "fn", function), "__module__", "")      # a kernel holds its function as `fn`


def _last_line(error, file):
    lines, traceback = [None], error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename == file:
            lines.append(traceback.tb_lineno)
        traceback = traceback.tb_next
    return lines[-1]
