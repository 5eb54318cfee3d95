"""A release: the repository without the answers of some exercises, which are judged by stored arrays there."""
import json
import os
import pathlib
import re
import shutil
import subprocess

from minigpt.commands.start import lesson_files
from minigpt.errors import InputError
from minigpt.grading.answers import BLOCK, call, functions, without
from minigpt.grading.taking_out import answers_of, kernel_files, tests_kept

TOP = ("LICENSE", "Makefile", "README.md", "kernels", "lessons", "minigpt", "notebooks", "pyproject.toml",
       "requirements.txt", "tests")
DRAWN = re.compile(r"\b(side_by_side|source)\(")       # cells that show code of the package
CONTRACT = '''"""What must hold of {concept}, judged by stored arrays: what the right answer gave to each call."""
import pathlib

from minigpt.grading.stored import stored_tests

globals().update(stored_tests(pathlib.Path(__file__).parent / "stored" / "{concept}.npz"))
'''


def build(out, exercises, root, *, report=lambda done, all: None):
    """Write a release into the folder `out`, whole or not at all. Returns {concept: why it is not judged there}.

    report: called with how many of all files and contracts are done. Raises InputError if something is there already.
    """
    out = pathlib.Path(out)
    _require_room(out, root)
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        unjudged = Release(exercises, root, part, report).write()
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return unjudged


def _require_room(out, root):
    if (root / "tests" / "stored").is_dir():
        raise InputError(f"{root} is a release itself, without the answers: build releases from the whole repository")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already: name a folder that is not, or an empty one")
    if not out.resolve().parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.resolve().parent}")


class Release:
    """One release while it is built. exercises: those that are assigned."""

    def __init__(self, exercises, root, part, report):
        self.exercises, self.root, self.part, self.report = exercises, root, part, report
        self.concepts = {}
        for exercise in exercises:
            self.concepts.setdefault(exercise.concept, []).append(exercise)
        self.answers = answers_of(exercises, root)
        self.kernels = kernel_files(self.concepts, root)

    def write(self):
        """Write all of it; {concept: why it is not judged by arrays}."""
        files = tracked(self.root)
        kept = tests_kept(files, self.concepts, self.answers, self.root)
        files = [f for f in files if not f.startswith((".", "lessons/instructor/"))
                 and (not f.startswith("tests/") or f in kept)]
        for at, file in enumerate(files):
            self.report(at, len(files) + len(self.concepts))
            self._copy(file)
        unjudged = {}
        for at, concept in enumerate(self.concepts):
            self.report(len(files) + at, len(files) + len(self.concepts))
            if why := self._contract(concept):
                unjudged[concept] = why
        self._readme(unjudged)
        return unjudged

    def _copy(self, file):
        data, target = (self.root / file).read_bytes(), self.part / file
        target.parent.mkdir(parents=True, exist_ok=True)
        change = {".py": self._python, ".md": self._lesson, ".ipynb": self._notebook}.get(target.suffix)
        if change and not file.startswith("tests/"):
            data = change(data.decode(), file).encode()
        target.write_bytes(data)

    def _python(self, text, file):
        module = file.removesuffix(".py").replace("/", ".")
        if file in self.kernels:
            return without(text, [(node, node.name) for node, _ in functions(text)], lambda node, role: _missing(role))
        plain = not file.startswith(("minigpt/reference/tiled/", "kernels/"))
        return without(text, self.answers.found(text, module),
                       lambda node, role: _calling(node, role) if plain else _missing(role))

    def _lesson(self, text, file):
        if not file.startswith("lessons/"):
            return text
        return BLOCK.sub(lambda m: m[0] if "exercise" in m[1] else f"```python{m[1]}\n{self._cell(m[2])}```", text)

    def _cell(self, code):
        for exercise in self.exercises:
            given = ", ".join(f"{role}={name}" for name, role in exercise.functions.items())
            if exercise.checked != exercise.concept and all(name in code for name in exercise.functions):
                code = re.sub(rf'^check\("{exercise.checked}".*$', f'check("{exercise.concept}", {given})', code,
                              flags=re.MULTILINE)
        return without(code, self.answers.found(code), _calling)

    def _notebook(self, text, file):
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                new = self._lesson(source, "lessons/")
            elif "exercise" in cell["metadata"].get("tags", []):
                continue
            else:
                new = self._cell(source)
                if DRAWN.search(source):
                    cell |= {"outputs": [], "execution_count": None}
            if new != source:
                cell["source"] = new.rstrip("\n") if isinstance(cell["source"], str) else new.splitlines(keepends=True)
        notebook["metadata"].pop("minigpt", None)      # the marks of the build
        return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def _contract(self, concept):
        """Store what the right answers give; why it cannot be done, or ""."""
        from minigpt.grading.recording import recorded
        from minigpt.grading.stored_file import Unstorable, save
        judged = [exercise for exercise in self.concepts[concept] if not (exercise.by_hand or exercise.unstored)]
        try:
            if not judged:
                raise Unstorable(self.concepts[concept][0].by_hand or self.concepts[concept][0].unstored)
            save(self.part / "tests" / "stored" / f"{concept}.npz", recorded(concept, judged))
        except Unstorable as error:
            return str(error)
        (self.part / "tests" / f"test_{concept}.py").write_text(CONTRACT.format(concept=concept), encoding="utf-8")
        return ""

    def _readme(self, unjudged):
        rows = [f"| {e.id} | {', '.join(f'`{name}`' for name in e.functions)} | {e.points:g} | "
                f"{'by the instructor alone' if e.concept in unjudged else 'stored arrays'} |" for e in self.exercises]
        path = self.part / "README.md"
        path.write_text(TOP_OF_README.format(rows="\n".join(rows)) + path.read_text(encoding="utf-8"), encoding="utf-8")


TOP_OF_README = """\
# This is a release: some functions in it are yours to write

| exercise | you write | points | judged by |
|---|---|---|---|
{rows}

Their answers are left out, in every version: NumPy, PyTorch, fused, Triton, in tests and in notebooks. `check` and
`python -m minigpt grade` work; they compare your functions with stored arrays. What of the package needs one of these
functions says so, and runs as soon as yours is there: in your notebook, or in `my/`, where `check` keeps what passes.
Until then cells and commands that train or run a model may stop with that message, and so may contracts of other
lessons. What needs it in a form that you do not write (a PyTorch module, a kernel, tiles) does not run here at all.

All below is the README of the whole package, answers included, which is public: marks come from releases, variants and
hidden tests.

"""


def tracked(root):
    """Paths of the repository's files: what git tracks, or, without git, what lies in its folders."""
    try:
        done = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=True)
        files = [f for f in done.stdout.split("\0") if f and (root / f).is_file()]
    except (OSError, subprocess.CalledProcessError):
        files = []
    if "minigpt/__init__.py" not in files:
        paths = [path for top in TOP for path in ([root / top] if (root / top).is_file() else (root / top).rglob("*"))]
        files = [path.relative_to(root).as_posix() for path in paths if path.is_file()
                 and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(root).parts)]
    if "lessons/exercises.toml" not in files:
        lesson_files(root)                             # raises InputError: there is no repository
    return sorted(files)


def _calling(node, role):
    """A body that calls the student's function; of a method, one that says that it is missing."""
    if any(a.arg == "self" for a in node.args.args):
        return _missing(role)
    return ["from minigpt.assigned import yours", f'return yours("{role}")({call(node)})']


def _missing(name):
    return [f'raise NotImplementedError("{name} is assigned in this release, and left out")']
