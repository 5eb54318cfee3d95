"""What has to go out of a release: where the answers are by name, which kernels, which tests."""
import ast
import inspect
import pathlib
import re
import subprocess

from minigpt.commands.start import lesson_files
from minigpt.errors import InputError
from minigpt.grading.answers import Answers
from minigpt.grading.rubric import reference
from minigpt.listing import ROOT, definitions, versions

TOP = ("LICENSE", "Makefile", "README.md", "kernels", "lessons", "minigpt", "notebooks", "pyproject.toml",
       "requirements.txt", "tests")
ROOMS = ("minigpt.reference", "minigpt.reference.tiled", "minigpt")
STAYS = ("tests/conftest.py", "tests/mistakes/__init__.py", "tests/solutions/__init__.py")


def answers_of(exercises, root):
    """The Answers of exercises: ours, their twins in PyTorch, and what is like them."""
    sources, named = {}, {}
    for exercise in exercises:
        for role in exercise.functions.values():
            try:
                function = reference(exercise.concept, role)
            except (InputError, ImportError):          # a kernel: its files go as a whole
                continue
            sources[role] = inspect.getsource(function)
            named |= _names(role, {exercise.concept, function.__module__.rpartition(".")[2]})
    return Answers(sources, named)


def _names(role, modules):
    """{full name: what to call it} of an answer: as ours, as its twin in PyTorch, as the fused one."""
    base = re.sub("_(forward|backward)$", "", role)
    try:
        twins = {twin for _, twin in versions(base) if twin}
    except InputError:                                 # it is not in the package
        twins = set()
    gradients = definitions(ast.parse((ROOT / "minigpt" / "fused_gradients.py").read_text(encoding="utf-8")))
    for name in gradients:                             # classes with a forward and a backward, and what they call
        if name.lower() == base.replace("_", ""):
            called = {n.id for n in ast.walk(gradients[name]) if isinstance(n, ast.Name)} & set(gradients)
            twins |= {f"minigpt.fused_gradients.{part}" for part in (f"{name}.forward", f"{name}.backward", *called)}
    ours = {f"{room}.{module}.{role}": role for room in ROOMS for module in modules}
    return ours | {twin: base for twin in {*twins, f"minigpt.fused.{base}"}}


def kernel_files(concepts, root):
    """Files of the kernels of these concepts: of their names (X.py, X_steps.py), and those of ours that these use."""
    rooms = {path.stem for path in (root / "minigpt" / "reference").glob("*.py")}
    names, found = {re.sub("_kernel$", "", concept) for concept in concepts}, set()
    waiting = [f"kernels/{path.name}" for path in sorted((root / "kernels").glob("*.py")) for name in names
               if path.stem == name or (path.stem.startswith(f"{name}_") and path.stem not in rooms)]
    while waiting:
        file = waiting.pop()
        if file in found or not (root / file).is_file() or pathlib.Path(file).name.startswith("_"):
            continue
        found.add(file)
        modules = re.findall(r"^from (kernels\.\w+) import", (root / file).read_text(encoding="utf-8"), re.MULTILINE)
        waiting += [module.replace(".", "/") + ".py" for module in modules]
    return found


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


def tests_kept(files, concepts, answers, root):
    """The files of tests/ that a release has: contracts of what is not assigned, what they use, and no answer."""
    tests = [f for f in files if f.startswith("tests/") and f.endswith(".py")]
    texts = {f: (root / f).read_text(encoding="utf-8") for f in tests}
    known = {pathlib.Path(f).stem for f in files if f.startswith(("minigpt/reference/", "tests/solutions/"))} - {
        "__init__", *concepts}
    kept = {f for f in tests if f in STAYS or (_is_kept(f, texts[f], known) and not answers.found(texts[f]))}
    helpers = {pathlib.Path(f).stem: f for f in tests if re.fullmatch(r"tests/(?!test_)\w+\.py", f)}
    waiting = list(kept)
    while waiting:
        nodes = [n for n in ast.walk(ast.parse(texts[waiting.pop()])) if isinstance(n, ast.Import | ast.ImportFrom)]
        modules = {getattr(node, "module", None) or alias.name for node in nodes for alias in node.names}
        more = {helpers[module] for module in modules if module in helpers} - kept
        kept |= more
        waiting += more
    return kept


def _is_kept(file, text, known):
    """Whether a test file is a contract, or belongs to one, of a concept that is known and not assigned."""
    path = pathlib.PurePosixPath(file)
    if path.parent.name in ("mistakes", "solutions"):
        return path.stem.removesuffix("_kernel") in known
    concept = re.search(r'^CONCEPT = "(\w+)"', text, re.MULTILINE)
    concept = concept[1] if concept else path.stem.removeprefix("test_")
    return bool(re.search(r"^def test_\w+\(op\b", text, re.MULTILINE)) and concept.removesuffix("_kernel") in known
