"""Marking submissions: a judge of its own for each student, so that nobody's code can touch another's result."""
import json
import multiprocessing
import os
import pathlib
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from multiprocessing import connection

from minigpt.grading.border import Student
from minigpt.grading.sandbox import Limits
from minigpt.grading.score import Result, by_hand, judge
from minigpt.grading.submissions import read_submission

JUDGE_MEMORY = 4 << 30      # bytes that a judge may take beyond what it has when it starts
NUMBERS = 4_000             # processes that are told apart: more than are ever running


@dataclass(frozen=True)
class Settings:
    """How students' code is run."""
    contained: bool = True
    seconds: float = 5.0                # for one call of a function
    load_seconds: float = 30.0          # for loading the files; PyTorch takes some of it
    most_seconds: float = 600.0         # for all of a submission
    limits: Limits = field(default_factory=Limits)


@dataclass
class Marked:
    """A student's results, and what else there is to say of the submission."""
    student: str
    results: list
    notes: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def points(self):
        return round(sum(result.points for result in self.results), 2)

    @property
    def most(self):
        return sum(result.most for result in self.results)


def mark_all(submissions, rubrics, settings, *, jobs=1, report=lambda n: None):
    """A list of Marked, in the order of `submissions`, {student: files}. rubrics: Rubrics, or Exercises by hand.

    jobs: judges at a time. report: called with the number of students that are done.
    """
    waiting, running, done = list(enumerate(submissions.items())), {}, {}
    context = multiprocessing.get_context("fork")      # the rubrics are there already
    while waiting or running:
        while waiting and len(running) < jobs:
            at, (student, files) = waiting.pop(0)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_judge, args=(theirs, student, files, rubrics, settings, at % NUMBERS),
                                      daemon=True)     # Ctrl-C ends them too
            process.start()
            theirs.close()
            running[ours] = at, student, process, time.monotonic() + settings.most_seconds
        _collect(running, done, rubrics, settings)
        report(len(done))
    return [done[at] for at in sorted(done)]


def _collect(running, done, rubrics, settings):
    """Move what has finished, and what has had its time, from `running` to `done`."""
    ready = connection.wait(running, timeout=0.5)
    for pipe in list(running):
        at, student, process, deadline = running[pipe]
        if pipe in ready:
            done[at] = _received(pipe, student, rubrics)
        elif time.monotonic() > deadline:
            process.terminate()
            done[at] = _unmarked(student, rubrics, f"given up after {settings.most_seconds:g} s")
        else:
            continue
        process.join()
        pipe.close()
        del running[pipe]


def _received(pipe, student, rubrics):
    try:
        row = json.loads(pipe.recv_bytes())
    except EOFError:
        return _unmarked(student, rubrics, "the judge did not survive this submission")
    return Marked(row["student"], [Result(*result) for result in row["results"]], row["notes"], row["seconds"])


def _unmarked(student, rubrics, why):
    results = [by_hand(rubric) if exercise_of(rubric) is rubric else
               Result(rubric.exercise.id, 0.0, rubric.exercise.points, {}, why, "") for rubric in rubrics]
    return Marked(student, results, [why])


def exercise_of(rubric):
    """The exercise of a rubric, or what stands in its place: an exercise that is marked by hand."""
    return getattr(rubric, "exercise", rubric)


def _judge(pipe, student, files, rubrics, settings, number):
    """A process of its own: marks one student, and sends the result."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + JUDGE_MEMORY, now + JUDGE_MEMORY))
    os.setpgid(0, 0)
    if "torch" in sys.modules:                         # it would wait for threads that a fork leaves behind
        sys.modules["torch"].set_num_threads(1)
    pipe.send_bytes(json.dumps(asdict(mark(student, files, rubrics, settings, number))).encode())


def mark(student, files, rubrics, settings, number=0):
    """One student's Marked. files: of the student. number: tells apart processes that run at the same time."""
    start = time.monotonic()
    wanted = [name for rubric in rubrics for name in (*exercise_of(rubric).functions, *exercise_of(rubric).used)]
    submission = read_submission(student, files, list(dict.fromkeys(wanted)))
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder, "submission")
        place.mkdir(mode=0o755)
        pathlib.Path(folder).chmod(0o755)              # the unprivileged user reads it
        for at, (_, source) in enumerate(submission.files):
            (place / f"submission{at}.py").write_text(source, encoding="utf-8", errors="surrogatepass")
        with Student(place, contained=settings.contained, limits=settings.limits, seconds=settings.seconds,
                     load_seconds=settings.load_seconds, number=number) as process:
            written = submission.written
            results = [by_hand(rubric) if exercise_of(rubric) is rubric else judge(rubric, process, written)
                       for rubric in rubrics]
    return Marked(student, results, [*submission.notes, *_said(process, submission)],
                  round(time.monotonic() - start, 3))


def _said(process, submission):
    """What to say of how the code ran."""
    names = {f"submission{at}.py": name for at, (name, _) in enumerate(submission.files)}
    for file, error in process.errors.items():
        yield f"{names.get(pathlib.Path(file).name, 'the submission')} does not run to its end: {error}"
    if process.printed > 1 << 20:
        yield f"it printed {process.printed / 2**20:.0f} MB, which nobody reads"
