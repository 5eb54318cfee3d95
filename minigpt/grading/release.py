"""A release: the repository without the answers of some exercises, which are judged by stored arrays there."""
import json
import os
import pathlib
import re
import shutil
from collections import namedtuple

from minigpt.errors import InputError
from minigpt.grading.answers import BLOCK, call, functions, without
from minigpt.grading.release_links import mend_links
from minigpt.grading.release_words import top_of_readme
from minigpt.grading.taking_out import answers_of, kernel_files, tests_kept, tracked

Built = namedtuple("Built", "by_hand own")              # {exercise: why `grade` cannot mark it}, ids of own tasks
ROLE = re.compile("_(forward|backward|kernel)$")
DRAWN = re.compile(r"\b(side_by_side|source)\(")       # cells that show code of the package


def build(out, exercises, root, *, seed=None, report=lambda done, all: None):
    """Write a release into the folder `out`, whole or not at all. Returns what it is, as a Built.

    seed: an ID, which chooses tasks that are added; their answers, and hidden tests, go to the folder `out`.key.

    report: called with how many of all files and contracts are done. Raises InputError if something is there already.
    """
    out = pathlib.Path(out).resolve()
    places = [out, out.with_name(f"{out.name}.key")][:1 if seed is None else 2]
    parts = [place.with_name(f".{place.name}.{os.getpid()}") for place in places]
    for place in places:
        _require_room(place, root)
    try:
        built = Release(exercises, root, parts, seed, report).write()
        for part, place in zip(parts, places, strict=True):
            if place.exists():
                place.rmdir()
            os.replace(part, place)
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)
    return built


def _require_room(out, root):
    if (root / "tests" / "stored").is_dir():
        raise InputError(f"{root} is a release itself, without the answers: build releases from the whole repository")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already: name a folder that is not, or an empty one")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent}")


class Release:
    """One release while it is built. exercises: those that are assigned."""
    def __init__(self, exercises, root, parts, seed, report):
        self.exercises, self.root, self.part, self.seed, self.report = exercises, root, parts[0], seed, report
        self.key, self.tasks = None, []
        if seed is not None:
            from minigpt.grading.own_tasks import chosen_tasks
            self.key, self.tasks = parts[1], chosen_tasks(seed, exercises)
        self.concepts = {}
        for exercise in exercises:
            self.concepts.setdefault(exercise.concept, []).append(exercise)
        self.answers = answers_of(exercises, root)
        self.kernels = kernel_files(self.concepts, root)

    def write(self):
        """Write all of it."""
        files = tracked(self.root)
        kept = tests_kept(files, self.concepts, self.answers, self.root)
        files = [f for f in files if not f.startswith((".", "lessons/instructor/", "minigpt/grading/variants.py"))
                 and (not f.startswith("tests/") or f in kept)]
        for at, file in enumerate(files):
            self.report(at, len(files) + len(self.concepts))
            self._copy(file)
        unjudged = {}
        for at, concept in enumerate(self.concepts):
            self.report(len(files) + at, len(files) + len(self.concepts))
            if why := self._contract(concept):
                unjudged[concept] = why
        tasks = self._own_tasks() if self.key else {}
        by_hand = {e.id: why for e in self.exercises if (why := self._by_hand(e, unjudged))}
        self._table(by_hand)
        self._hints()
        path, top = self.part / "README.md", top_of_readme(self.exercises, by_hand, tasks)
        path.write_text(top + path.read_text(encoding="utf-8"), encoding="utf-8")
        mend_links(self.part)
        return Built(by_hand, list(tasks))

    def _own_tasks(self):
        """Add the tasks that the seed chooses; {id: Variant}."""
        from minigpt.grading.own_tasks import KEY, write_task
        self.key.mkdir(exist_ok=True)
        (self.key / "README.md").write_text(KEY.format(seed=self.seed), encoding="utf-8")
        return {write_task(task, self.part, self.key, self.seed): task for task in self.tasks}

    def _by_hand(self, exercise, unjudged):
        """Why `grade` cannot mark an exercise in this release, or ""."""
        taken = {role for other in self.concepts[exercise.concept] for role in other.functions.values()}
        handed = [role for role in exercise.given if role in taken]
        said = f"the lesson hands over {handed[0]}, which is assigned too" if handed else ""
        ours = exercise.by_hand.removesuffix(": check judges it in the notebook")
        return ours or exercise.unstored or unjudged.get(exercise.concept, "") or said

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
            return without(text, [(node, node.name) for node, _ in functions(text)], self._missing)
        plain = not file.startswith(("minigpt/reference/tiled/", "kernels/"))
        return without(text, self.answers.found(text, module), self._calling if plain else self._missing)

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
        return without(code, self.answers.found(code), self._calling)

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

    def _calling(self, node, role):
        """A body that calls the student's function; of a method, one that says that it is missing."""
        if any(a.arg in ("self", "ctx") for a in node.args.args):
            return self._missing(node, role)
        return ["from minigpt.assigned import yours", f'return yours("{role}", "{self._about(role)}")({call(node)})']

    def _missing(self, node, role):
        return ["from minigpt.assigned import left_out", f'left_out("{role}", "{self._about(role)}")']

    def _about(self, role):
        """The exercises that a name gives away."""
        about = [e.id for e in self.exercises if ROLE.sub("", role) in {ROLE.sub("", r) for r in e.functions.values()}]
        return ", ".join(about or [e.id for e in self.exercises])

    def _contract(self, concept):
        """Store what the right answers give; why it cannot be done, or ""."""
        from minigpt.grading.recording import recorded
        from minigpt.grading.stored import write_contract
        from minigpt.grading.stored_file import Unstorable
        judged = [exercise for exercise in self.concepts[concept] if not (exercise.by_hand or exercise.unstored)]
        try:
            if not judged:
                raise Unstorable(self.concepts[concept][0].by_hand or self.concepts[concept][0].unstored)
            cases = recorded(concept, judged)
        except Unstorable as error:
            return str(error)
        write_contract(self.part / "tests", concept, cases)
        if self.key:
            from minigpt.grading.own_tasks import write_hidden
            write_hidden(concept, judged, cases, self.key, self.seed)
        return ""

    def _hints(self):
        """Leave out the last hint of what is assigned: it is nearly the line."""
        path = self.part / "lessons" / "hints.toml"
        text = path.read_text(encoding="utf-8")
        for exercise in self.exercises:
            start = re.escape(f'"{exercise.id}" = [')
            text = re.sub(rf"^({start}\n(?:    .*\n)*)    .*\n\]$", r"\1]", text, flags=re.MULTILINE)
        path.write_text(text, encoding="utf-8")

    def _table(self, by_hand):
        """Say in the table of exercises of which `grade` has nothing to mark by."""
        path = self.part / "lessons" / "exercises.toml"
        text = path.read_text(encoding="utf-8")
        for id, why in by_hand.items():
            head, mark, tail = text.partition(f'["{id}"]\n')
            row, rest = tail.partition("\n[")[0], "".join(tail.partition("\n[")[1:])
            row = re.sub("^by_hand = .*\n?", "", row, flags=re.MULTILINE)
            text = f"{head}{mark}by_hand = {json.dumps(why)}\n{row}{rest}"
        path.write_text(text, encoding="utf-8")
