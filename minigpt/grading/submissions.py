"""Reading what students hand in: Python files, filled-in notebooks, and folders of them. Nothing is executed here."""
import ast
import contextlib
import json
import pathlib
import re
import symtable
import warnings
from dataclasses import dataclass, field

from minigpt.errors import InputError

LARGEST = 20 << 20      # bytes of one file
SUFFIXES = (".py", ".ipynb")


@dataclass
class Submission:
    """The code of one student. files: (name, source); written: name -> syntax tree of each function that is defined."""
    student: str
    files: list
    notes: list = field(default_factory=list)

    @property
    def written(self):
        return {node.name: node for _, source in self.files for node in _tree(source).body
                if isinstance(node, ast.FunctionDef)}


def students(folder):
    """{student: files} of a folder with an entry for each student: a folder of files, or one file.

    What has the same name but for its suffix, ana.py and ana.ipynb, is of one student. Raises InputError if there is
    no student.
    """
    found = {}
    for entry in sorted(pathlib.Path(folder).iterdir()):
        is_one = entry.is_dir() or entry.suffix in SUFFIXES
        if is_one and not entry.is_symlink() and not entry.name.startswith((".", "__")):
            found.setdefault(entry.name if entry.is_dir() else entry.stem, []).extend(files_in([entry]))
    if not found:
        raise InputError(f"{folder}: no {' or '.join(SUFFIXES)} file, and no folder, in it")
    return found


def files_in(paths):
    """The Python files and notebooks among paths, and in those that are folders. Links are left where they are.

    Raises InputError for a path that is not there.
    """
    found = []
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        found += sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in found if file.suffix in SUFFIXES and file.is_file() and not file.is_symlink()
            and not any(part.startswith((".", "__")) for part in (file.parent.name, file.name))]


def read_submission(student, files, wanted):
    """A student's files as a Submission. wanted: names of the functions that are asked for.

    What cannot be read is said in the notes.
    """
    submission = Submission(student, [], [] if files else [f"no {' or '.join(SUFFIXES)} file"])
    for file in files:
        _read(file, wanted, submission)
    return submission


def mentioned(files, names):
    """Which of these functions some file defines, by a look at its text: of a notebook, too."""
    pattern, found = re.compile(rf"\bdef ({'|'.join(map(re.escape, names))})\b"), set()
    for file in files:
        with contextlib.suppress(OSError):
            found.update(pattern.findall(file.read_bytes()[:LARGEST].decode(errors="replace")))
    return found


def _read(file, wanted, submission):
    """Add a file to a submission, or a note that says why not."""
    try:
        if file.stat().st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MB")
        text = file.read_text(encoding="utf-8")
        source = from_notebook(text, wanted) if file.suffix == ".ipynb" else text
        _tree(source, strict=file.suffix == ".py")
    except (OSError, UnicodeError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        submission.notes.append(f"{file.name} cannot be read: {_said(error)}")
        return
    submission.files.append((file.name, source))


def from_notebook(text, wanted):
    """The functions of a notebook that are asked for, with the definitions and imports that they need, as one file.

    Of a name that is defined more than once, the last definition counts, as in a notebook that was run from top to
    bottom; but a function that is asked for counts as the exercise's cell defines it, if there is one. Lines for
    IPython (%, !) are left out, and so are cells that do not parse. Nothing else of the notebook is run.
    Raises ValueError if the text is no notebook.
    """
    statements = []
    for cell in _cells(text):
        is_exercise = "exercise" in cell.get("metadata", {}).get("tags", [])
        statements += [(node, code, is_exercise) for node, code in _definitions(cell["source"])]
    last = {}
    for at, (node, _, is_exercise) in enumerate(statements):
        for name in _bound(node):
            keeps = name in wanted and name in last and statements[last[name]][2] and not is_exercise
            if not keeps:
                last[name] = at
    needed, names = set(), [name for name in wanted if name in last]
    while names:
        at = last.get(names.pop())
        if at is not None and at not in needed:
            needed.add(at)
            names += _needed(*statements[at][:2])
    return "\n\n".join(statements[at][1] for at in sorted(needed)) + "\n"


def _cells(text):
    """The code cells of a notebook, their source as text. Raises ValueError."""
    notebook = json.loads(text)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("not a notebook of format 4: it has no cells")
    found = []
    for cell in cells:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            source = "".join(map(str, source)) if isinstance(source, list) else str(source)
            found.append({"source": source, "metadata": cell.get("metadata") or {}})
    return found


def _definitions(source):
    """(syntax tree, text) of the imports, functions, classes and assignments at the top of a cell."""
    lines = source.splitlines()
    if lines and lines[0].startswith("%%") and not lines[0].startswith("%%triton"):
        return
    code = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)
    for node in _tree(code).body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign):
            yield node, ast.unparse(node) if getattr(node, "decorator_list", []) else ast.get_source_segment(code, node)


def _needed(node, code):
    """The names that a statement looks up at the top of the file, now or when it is called: no variables of its own."""
    try:
        return _global_names(symtable.symtable(code, "cell", "exec"))
    except SyntaxError:                                # it parses, and cannot be compiled
        return [leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)]


def _global_names(table):
    is_top = table.get_type() == "module"
    names = [s.get_name() for s in table.get_symbols() if s.is_global() or (is_top and s.is_referenced())]
    return names + [name for inner in table.get_children() for name in _global_names(inner)]


def _bound(node):
    """The names that a statement defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)
            and isinstance(leaf.ctx, ast.Store)]


def _tree(source, strict=False):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")            # of "\d" in a text, say
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        if strict:
            raise
        return ast.Module([], [])


def _said(error):
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return str(error).partition("\n")[0][:200] or type(error).__name__
