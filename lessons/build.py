"""Build notebooks/ from lessons/: refresh the code that a lesson shows, convert, execute, tidy, write.

    python lessons/build.py                     every lesson
    python lessons/build.py attention           one of them
    python lessons/build.py --check             change nothing: fail if a notebook is stale, then execute them all
    python lessons/build.py --filled            change nothing: execute them with a right answer in each exercise

A lesson is jupytext Markdown, lessons/NN_name.md. Fields on top: title, question, prerequisites (a list),
able_to (a list), student_minutes. A marker draws code of the package into the page, as text for reading:

    <!-- code: minigpt.softmax.softmax -->      (the build writes the block below it, and keeps it up to date)

Every ```python block without `.noeval` is a cell. Tags: ```python tags=["exercise"] is a stub to fill in,
"folded" hides the source until opened, "slow" marks what to turn up for a longer run. A cell that needs Triton
begins with %%triton, and a cell before it says `%load_ext minigpt.triton_cells`.
"""
import argparse
import functools
import json
import os
import sys
import tempfile
import time
from collections import namedtuple
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))                          # the imports below need it

from lessons import filled as answered  # noqa: E402
from lessons.convert import converted, fingerprint, header, number, refreshed  # noqa: E402
from lessons.outputs import faults, tidy  # noqa: E402
from minigpt.commands.start import front_matter, lesson_files  # noqa: E402
from minigpt.errors import InputError  # noqa: E402
from minigpt.listing import suggest  # noqa: E402
from minigpt.progress import passed, write  # noqa: E402

SECONDS = 90                                           # what one lesson may cost where it is built
SLOW = 1.5                                             # a machine that only checks may be this much slower
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
          "language_info": {"name": "python"}}
Built = namedtuple("Built", "notebook seconds error")  # notebook: its text; error: one line, or ""


def main(arguments=None):
    """Build or check the lessons that were asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is stale or fails")
    parser.add_argument("--filled", action="store_true",
                        help="write nothing; exit 1 if one fails with its exercises filled in")
    parser.add_argument("--jobs", type=int, default=1, help="lessons at a time (default 1)")
    args = parser.parse_args(arguments)
    try:
        lessons = _chosen(args.names, ROOT)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    notebooks = ROOT / "notebooks"
    if args.filled:
        return build_all(lessons, None, args.jobs, filled=True)
    stale = [line for path in lessons for line in staleness(path, notebooks)] if args.check else []
    stale += _orphans(notebooks, ROOT) if args.check else []
    if stale:
        print(*stale, "build them anew: make lessons", sep="\n", file=sys.stderr)
        return 1
    return build_all(lessons, None if args.check else notebooks, args.jobs)


def build_all(lessons, notebooks, jobs=1, *, filled=False):
    """Build lessons into a folder (None: into nothing), print what each cost; 1 if one failed, else 0.

    Nothing is written for a lesson that takes longer than SECONDS; one that is only checked may take SLOW times that.
    """
    budget = SECONDS if notebooks is not None else SLOW * SECONDS
    print(f"{'lesson':<24}{'seconds':>9}{'KB':>7}")
    failed = 0
    with ProcessPoolExecutor(jobs) as pool:
        results = (pool.map if jobs > 1 else map)(functools.partial(build, filled=filled), lessons)
        for path, built in zip(lessons, results, strict=True):
            built = _within(built, budget)
            size = len(built.notebook.encode()) / 1024
            print(f"{path.stem:<24}{built.seconds:>9.1f}{size:>7.0f}  {built.error}".rstrip(), flush=True)
            if built.error:
                failed = 1
            elif notebooks is not None:
                _write(path, refreshed(path.read_text(encoding="utf-8")))
                _write(notebooks / f"{path.stem}.ipynb", built.notebook)
    return failed


def _within(built, budget):
    """The same, with an error if it took longer than the budget."""
    late = not built.error and built.seconds > budget
    return built._replace(error=f"took {built.seconds:.0f} s, the budget is {budget:.0f} s") if late else built


def build(path, *, filled=False):
    """Execute one lesson, in memory: nothing is written. filled: with a right answer in each exercise."""
    seconds, text = 0.0, ""
    try:
        source = refreshed(path.read_text(encoding="utf-8"))
        fields, body = front_matter(source)
        notebook = converted(body)
        if filled:
            return Built("", *_filled_in(notebook, path.stem.partition("_")[2]))
        seconds = execute(notebook)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(header(fields, seconds)))
        number(notebook.cells, path.stem)
        notebook.metadata = KERNEL | {"minigpt": {"fingerprint": fingerprint(source)}}
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        error = "; ".join(faults(notebook, text))
    except CellExecutionError as failure:
        error = f"a cell failed: {failure.ename}: {failure.evalue}"
    except CellTimeoutError:
        error = f"still running after {2 * SECONDS} s; the budget is {SECONDS} s"
    except ValueError as failure:
        error = str(failure)
    return Built(text, seconds, error.replace("\n", " "))


def _filled_in(notebook, lesson):
    """(seconds, what is wrong) of a lesson with its exercises filled in; what passes is kept, as for a student."""
    names = answered.fill(notebook, lesson, ROOT)
    with tempfile.TemporaryDirectory() as my:
        seconds = execute(notebook, my)
        return seconds, "; ".join(answered.faults(notebook, lesson, ROOT, names, passed(Path(my))))


def execute(notebook, my=""):
    """Run all cells in an empty temporary folder and tidy their outputs; returns the seconds.

    my: a folder for what passes `check`; "" keeps nothing.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name in ("lesson", "temporary"):
            Path(folder, name).mkdir()
        environment = os.environ | {
            "MPLBACKEND": "module://matplotlib_inline.backend_inline", "TMPDIR": f"{folder}/temporary",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            "IPYTHONDIR": f"{folder}/ipython", "COLUMNS": "100", "MINIGPT_MY": my}
        start = time.perf_counter()
        client = NotebookClient(
            notebook, kernel_name="python3", record_timing=False, resources={"metadata": {"path": f"{folder}/lesson"}},
            extra_arguments=["--log-level=40"],        # it warns of every kernel that listens on this machine
            timeout_func=lambda cell: max(1, int(start + 2 * SECONDS - time.perf_counter())))
        client.execute(env=environment)
        seconds = time.perf_counter() - start
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            if cell.cell_type == "code":
                cell.outputs = tidy(cell.outputs, folder, ROOT)
    return seconds


def staleness(path, notebooks):
    """What is out of date about a lesson's notebook, one line each; nothing is executed."""
    text, built = path.read_text(encoding="utf-8"), notebooks / f"{path.stem}.ipynb"
    try:
        if refreshed(text) != text:
            return [f"{path}: its code blocks are not those of the package"]
        now = fingerprint(text)
    except ValueError as error:
        return [f"{path}: {error}"]
    if not built.is_file():
        return [f"{built}: not built"]
    content = built.read_text(encoding="utf-8")
    notebook = nbformat.reads(content, 4)
    old = notebook.metadata.get("minigpt", {}).get("fingerprint")
    changed = [] if old == now else ["stale: the lesson, or code that it shows, has changed since"]
    return [f"{built}: {line}" for line in changed + faults(notebook, content)]


def _orphans(notebooks, root):
    lessons = {path.stem for path in lesson_files(root).values()}
    return [f"{path}: no lesson of this name" for path in notebooks.glob("*.ipynb") if path.stem not in lessons]


def _chosen(names, root):
    lessons = lesson_files(root)
    for name in names:
        if name not in lessons:
            raise InputError(f"no lesson {name!r}; {suggest(name, lessons)}")
    return [lessons[name] for name in names or lessons]


def _write(path, text):
    """Whole or not at all, and only if it differs: a lesson that is already fresh keeps its date."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        write(path, text)


if __name__ == "__main__":
    sys.exit(main())
