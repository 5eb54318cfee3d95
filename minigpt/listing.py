"""Find the source code of an object by its full name, as text: what is shown is what is in the files."""
import ast
import difflib
import inspect
import re
from pathlib import Path

from minigpt.errors import InputError

ROOT = Path(__file__).parent.parent
Function = ast.FunctionDef | ast.AsyncFunctionDef


def find(name):
    """The file and the syntax tree node of a full name, like `minigpt.softmax.softmax`.

    Raises InputError if there is no such file or object, with the nearest names.
    """
    parts = name.split(".")
    cuts = (cut for cut in range(len(parts) - 1, 0, -1) if _file(parts[:cut]).is_file())
    if (cut := next(cuts, None)) is None:
        raise InputError(f"no source file for {name!r}; write the name in full, like minigpt.softmax.softmax")
    node = _tree(_file(parts[:cut]))
    for part in parts[cut:]:
        known = definitions(node)
        if part not in known:
            raise InputError(f"{'.'.join(parts[:cut])} has no {part!r}; {suggest(part, known)}")
        node = known[part]
    return _file(parts[:cut]), node


def code_of(name):
    """The source text of a full name, with its decorators and docstring, and without its indentation.

    Raises InputError like `find`.
    """
    path, node = find(name)
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    lines = path.read_text(encoding="utf-8").splitlines()[first - 1:node.end_lineno]
    return inspect.cleandoc("\n" + "\n".join(lines))


def versions(concept):
    """Pairs of full names (NumPy, PyTorch or None) of one function of the model; forward before backward.

    Raises InputError if no NumPy file has such a function, with the nearest names.
    """
    known = {}
    for path in sorted((ROOT / "minigpt" / "reference").glob("[a-z]*.py")):
        for name, node in definitions(_tree(path)).items():
            if isinstance(node, Function) and not name.startswith("_"):
                known.setdefault(re.sub("_(forward|backward)$", "", name), []).append((path.stem, name))
    if concept not in known:
        raise InputError(f"no function {concept!r} to put side by side; {suggest(concept, known)}")
    module = known[concept][0][0]
    pairs = [[f"minigpt.reference.{stem}.{name}", None] for stem, name in known[concept] if stem == module]
    pairs[0][1] = _torch_twin(module, concept)
    return pairs


def kernel_versions(concept):
    """Pairs (tiled NumPy, [kernels]) of full names, of a function with both; forward before backward.

    Where long rows have a kernel of their own, NAME_online_..., that is the one with the loops of the tiled NumPy.
    Raises InputError if no tiled NumPy file has such a function, with the nearest names.
    """
    tiled, kernels = {}, {}
    for path in sorted((ROOT / "minigpt" / "reference" / "tiled").glob("[a-z]*.py")):
        for name, (stem, way) in _ways(path, r"(\w+)_(forward|backward)"):
            tiled.setdefault(stem, []).append((way, f"minigpt.reference.tiled.{path.stem}.{name}"))
    for path in sorted((ROOT / "kernels").glob("[a-z]*.py")):
        for name, key in _ways(path, r"(\w+?)_(forward|backward)(?:_\w+)?_kernel"):
            kernels.setdefault(key, []).append(f"kernels.{path.stem}.{name}")
    if concept not in tiled:
        raise InputError(f"no function {concept!r} with tiled NumPy and a kernel; {suggest(concept, tiled)}")
    return [(name, kernels.get((f"{concept}_online", way)) or kernels.get((concept, way), []))
            for way, name in tiled[concept]]


def _ways(path, pattern):
    """(function name, groups of the pattern) of each function in a file whose name matches."""
    for name in definitions(_tree(path)):
        if match := re.fullmatch(pattern, name):
            yield name, match.groups()


def definitions(node):
    """Name -> node of the functions, classes and constants that a module or class defines."""
    found = {}
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef):
            found[child.name] = child
        elif isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Name):
            found[child.targets[0].id] = child
    return found


def suggest(wrong, known):
    """What to try instead of a wrong name: the nearest known names, or some that there are."""
    close = difflib.get_close_matches(wrong, known, n=3, cutoff=0.5) or [name for name in known if wrong in name][:3]
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(sorted(known)[:12]) or 'none'}{' ...' if len(known) > 12 else ''}"


def _file(parts):
    return ROOT.joinpath(*parts).with_suffix(".py")


def _tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def _torch_twin(module, concept):
    """The function of the same name, or the forward of the class of that name."""
    if not (path := _file(["minigpt", module])).is_file():
        return None
    for name, node in definitions(_tree(path)).items():
        if name == concept:
            return f"minigpt.{module}.{name}"
        if isinstance(node, ast.ClassDef) and name.lower() == concept.replace("_", ""):
            return f"minigpt.{module}.{name}.forward"
    return None
