"""A lesson with every exercise filled in: each stub gives way to a right answer of tests/second_solutions."""
import ast
import re

from minigpt.grading.exercises import exercises
from minigpt.triton_cells import MARK

FOLDER = ("tests", "second_solutions")
KERNELS = "kernels"                                    # the file of the kernels, under the names of their roles
UNWRITTEN = "your turn - replace the"                  # what a check says of a stub
WRONG = "✗"


def fill(notebook, lesson, root):
    """Put right answers into the cells of exercises; returns the names that these define.

    lesson: its name without the number. A cell that only sets what a student may choose keeps its value.
    Raises ValueError if an answer is missing.
    """
    answers = _definitions(root.joinpath(*FOLDER, f"{lesson}.py"))
    kernels = _definitions(root.joinpath(*FOLDER, f"{KERNELS}.py"))
    code, names = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code"), set()
    for cell in notebook.cells:
        if "exercise" in cell.metadata.get("tags", []):
            mark, stub = re.match(rf"((?:{MARK}\n)?)(.*)", cell.source, re.DOTALL).groups()
            tree = ast.parse(stub)
            wanted = [name for node in tree.body for name in _names(node) if not _is_import(node)]
            names.update(wanted)
            for name in wanted:
                if name not in answers and (role := re.search(rf"\bcheck\(.*\b(\w+)={name}\b", code)):
                    answers |= _renamed(kernels, role[1], name)
            cell.source = mark + _filled(tree, wanted, answers, lesson)
    return names


def faults(notebook, lesson, root, names, passed):
    """What is not right in an executed lesson that was filled in, one line each.

    names: of what the exercises define. passed: the exercises that `check` has counted, a set of ids.
    """
    open_ones = [id for id, exercise in exercises(root).items() if exercise.lesson == lesson and id not in passed]
    found = [f"{id} was filled in, and has not passed" for id in open_ones]
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        said = "".join(part for output in cell.outputs for part in _texts(output))
        about = {name for name in names if re.search(rf"\b{name}\b", cell.source)}
        for sign, words in ((UNWRITTEN, "says that something is not written yet"), (WRONG, f"shows a {WRONG}")):
            if sign in said and (about or sign == UNWRITTEN):
                found.append(f"cell {cell.source.splitlines()[0]!r} {words}")
    return found


def _filled(tree, wanted, answers, lesson):
    """The code of a cell: its imports, and the answers with what they need, in their order."""
    needed, waiting = [], []
    for name in wanted:
        if name in answers:
            waiting.append(name)
        elif _is_open(next(node for node in tree.body if name in _names(node))):
            raise ValueError(f"{'/'.join(FOLDER)}/{lesson}.py has no right answer for {name}")
    kept = [node for node in tree.body if _is_import(node) or not set(_names(node)) & set(waiting)]
    while waiting:
        node = answers[waiting.pop()]
        if node not in needed:
            needed.append(node)
            waiting += {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & set(answers)
    order = list(answers.values())
    needed.sort(key=lambda node: (not _is_import(node), order.index(node)))
    return "\n\n".join(ast.unparse(node) for node in (*kept, *needed)) + "\n"


def _definitions(path):
    """{name: the statement of a file that gives it its meaning}; nothing if there is no file."""
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return {name: node for node in body for name in _names(node)}


def _renamed(definitions, old, new):
    """Definitions, with the function `old` as `new`; nothing if it is not among them."""
    if old not in definitions:
        return {}
    definitions[old].name = new
    return {name: node for name, node in definitions.items() if name != old} | {new: definitions[old]}


def _names(node):
    """The names that a statement binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if _is_import(node):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]


def _is_import(node):
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_open(node):
    """Whether a statement waits for an answer: a function, or a value with a None in it."""
    return isinstance(node, ast.FunctionDef) or any(
        isinstance(part, ast.Constant) and part.value is None for part in ast.walk(node))


def _texts(output):
    """What an output says, in words."""
    data = output.get("data", {})
    return [output.get("text", ""), *(data[kind] for kind in data if kind.startswith("text/"))]
