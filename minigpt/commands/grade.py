"""Mark the exercises in a student's file or notebook, or in a folder of many; or build a release without answers."""
import importlib
import os
import pathlib
import sys

from minigpt.errors import InputError
from minigpt.listing import ROOT

EXAMPLES = """\
python -m minigpt grade my/attention.ipynb
python -m minigpt grade attention.py training.py --lessons attention,training --junit results.xml
python -m minigpt grade submissions --lessons attention --csv points.csv --report class.html --jobs 2
python -m minigpt grade --one-student /autograder/submission --gradescope /autograder/results/results.json
python -m minigpt grade release --lessons attention,transformer --out handout
python -m minigpt grade release --lessons attention --out ana --seed ana-7Qx2"""
FILES = {"csv": "formats.as_csv", "junit": "formats.as_junit", "gradescope": "formats.as_gradescope",
         "report": "report.as_html"}                   # flag -> what writes it, in minigpt.grading


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("paths", nargs="+", metavar="PATH",
                        help="a .py or .ipynb file or several, of one student; or a folder with a file or a folder for "
                             "each student. Exit status: 0 if one student has all points, or a class is marked; 1 if "
                             "one student lacks points; 2 if nothing could be marked. Or the word release: write a "
                             "copy of the repository in which the answers of --lessons or --exercises are left out")
    parser.add_argument("--one-student", action="store_true", help="a folder holds the files of one student")
    parser.add_argument("--lessons", metavar="NAMES", type=_names,
                        help="mark all exercises of these lessons, as in attention,training (default: those of which "
                             "some function is handed in)")
    parser.add_argument("--exercises", metavar="IDS", type=_names, help="mark these alone, as in attention.1")
    parser.add_argument("--hidden", metavar="DIR", type=pathlib.Path,
                        help="a folder with tests of your own, test_CONCEPT.py, in the style of tests/test_CONCEPT.py. "
                             "They find mistakes, not copies: who imports the package's answer gets no points for it, "
                             "but a copy of its text is not seen")
    parser.add_argument("--out", metavar="DIR", help="of a release: the folder to write, whole or not at all")
    parser.add_argument("--seed", metavar="ID",
                        help="of a release: adds a task to write, an attention, a norm or a cross-entropy with changes "
                             "that this text chooses; its answer, and hidden tests for --hidden, go to DIR.key. Who "
                             "knows the ID can build the same: take more than a name, as in ana-7Qx2")
    parser.add_argument("--csv", metavar="FILE", help="write a row for each student and exercise")
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    parser.add_argument("--gradescope", metavar="FILE", help="write results.json, of one student")
    parser.add_argument("--report", metavar="FILE", help="write a page of HTML about the class: a heat map of students "
                                                         "by exercises, and the commonest mistakes by name")
    parser.add_argument("--jobs", type=int, default=1, metavar="INT", help="students at a time (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="FLOAT",
                        help="after which a call of a function has hung (default: %(default)g)")
    parser.add_argument("--uncontained", action="store_true",
                        help="run students' code without bubblewrap, limited but with a network and a view of all "
                             "files, the tests and solutions too: only in a container that may be lost")


def run(args) -> int:
    """Mark, print and write; 0 if one student has all points or a class is marked, else 1. Or build a release."""
    if args.out or args.seed is not None or args.paths == ["release"]:
        from minigpt.grading import release_command
        if release_command.is_release(args):
            return release_command.run(args)
    submissions = _submissions(args)
    _check(args, submissions)
    contained = _contained(args)
    from minigpt.grading.exercises import chosen, exercises
    from minigpt.grading.marking import Settings, mark_all
    known = exercises(ROOT)
    wanted = chosen(known, args.lessons, args.exercises) if args.lessons or args.exercises else (
        _handed_in(known, submissions))
    rubrics = _rubrics(wanted, args.hidden)
    with _Bar(len(submissions)) as bar:
        marked = mark_all(submissions, rubrics, Settings(contained, args.seconds), jobs=args.jobs, report=bar)
    _write(args, marked)
    is_class = len(submissions) > 1
    return 0 if is_class or all(result.points == result.most for result in marked[0].results) else 1


def _submissions(args):
    from minigpt.grading.submissions import files_in, students
    folder = pathlib.Path(args.paths[0])
    if len(args.paths) == 1 and folder.is_dir() and not args.one_student:
        return students(folder)
    return {folder.stem: files_in(args.paths)}


def _check(args, submissions):
    """Raise InputError for flags that do not fit."""
    if args.jobs < 1:
        raise InputError(f"--jobs {args.jobs} must be at least 1")
    if not args.seconds > 0:
        raise InputError(f"--seconds {args.seconds:g} must be above 0")
    if args.hidden and not args.hidden.is_dir():
        raise InputError(f"--hidden {args.hidden}: no such folder")
    if args.gradescope and len(submissions) > 1:
        raise InputError(f"--gradescope is for one student, and there are {len(submissions)}: name one file, or use "
                         "--one-student for a folder of one student")
    for flag in FILES:
        path = getattr(args, flag)
        if path and not pathlib.Path(path).resolve().parent.is_dir():
            raise InputError(f"--{flag} {path}: there is no such folder")


def _contained(args):
    """Whether students' code runs contained. Raises InputError where it cannot, unless the user has said so."""
    from minigpt.grading.sandbox import not_contained, not_readable
    why = "" if args.uncontained else not_contained()
    if why:
        raise InputError(f"not contained: use a container ({why}); install bubblewrap, or, inside a container that may "
                         "be lost, go on with --uncontained")
    if args.uncontained and (folder := not_readable()):
        raise InputError(f"--uncontained, as root: the code runs as another user, who cannot look into {folder}, where "
                         "Python or minigpt is; install them where all can read them, or grade as a user")
    if args.uncontained:
        _say("not contained: the code of students can read and write what this user can")
    return not args.uncontained


def _handed_in(known, submissions):
    """All exercises of the lessons of which somebody has handed in a function. Raises InputError if there is none."""
    from minigpt.grading.exercises import chosen
    from minigpt.grading.submissions import mentioned
    functions = {name: exercise.lesson for exercise in known.values() for name in exercise.functions}
    found = {functions[name] for files in submissions.values() for name in mentioned(files, functions)}
    if not found:
        raise InputError("no function of any exercise is defined there; the lessons say what each is called. Name "
                         "lessons with --lessons to mark it all the same")
    return chosen(known, sorted(found))


def _rubrics(wanted, hidden):
    import torch

    from minigpt.grading.rubric import Rubric
    torch.set_num_threads(1)                           # judges are forked, and would wait for threads that stay behind
    return [exercise if exercise.by_hand else Rubric(exercise, hidden) for exercise in wanted]


def _write(args, marked):
    """Print the table, and write each file whole or not at all."""
    from minigpt.grading import formats
    print(formats.table(marked))
    for flag, function in FILES.items():
        if path := getattr(args, flag):
            module, _, name = function.partition(".")
            _replace(path, getattr(importlib.import_module(f"minigpt.grading.{module}"), name)(marked))


def _replace(path, text):
    part = pathlib.Path(f"{path}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _names(text):
    return [name for name in text.split(",") if name]


class _Bar:
    """A progress bar for a class."""

    def __init__(self, total):
        self.total = total

    def __enter__(self):
        from tqdm import tqdm
        self.bar = tqdm(desc="marking", total=self.total, unit=" students", disable=None if self.total > 1 else True)
        return self

    def __call__(self, done):
        self.bar.update(done - self.bar.n)

    def __exit__(self, *error):
        self.bar.close()


def _say(line):
    print(f"minigpt: {line}", file=sys.stderr, flush=True)
