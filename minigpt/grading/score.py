"""Judging one exercise of one student: the share of its properties that hold, and what the answer looks like."""
import pathlib
import warnings
from collections import namedtuple

from minigpt.grading.border import Remote
from minigpt.grading.check import diagnose
from minigpt.grading.contract import Outcome, run_test
from minigpt.grading.crossing import StudentError
from minigpt.grading.exercises import is_unwritten
from minigpt.grading.frames import Malformed
from minigpt.grading.rubric import HIDDEN, named, reference
from minigpt.grading.verdict import first_reason, sentence

Result = namedtuple("Result", "exercise points most checks says likely")  # checks: {sentence: (passed, all)}
STUB, MISSING, BROKEN = "still the stub: ", "missing: ", " (a file does not run: "      # said of what is not there


def judge(rubric, student, written):
    """The Result of one exercise. student: a border.Student. written: {name: syntax tree} of what the files define."""
    exercise = rubric.exercise
    missing = [name for name in exercise.functions if name not in student.functions]
    stubs = [name for name in exercise.functions if name in written
             and is_unwritten(written[name], exercise.stubs[name])]
    if len({*missing, *stubs}) == len(exercise.functions):
        said = _not_there(missing, student.errors) if missing else f"{STUB}{', '.join(stubs)}"
        return Result(exercise.id, 0.0, exercise.points, {}, said, "")
    op = rubric.op(_functions(rubric, student, {*missing, *stubs}))
    student.withheld = rubric.answers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = list(_outcomes(rubric, student, op))
    return _result(rubric, student, outcomes, sorted({*missing, *stubs}))


def is_left(result):
    """Whether nothing was written: the stubs are as they were, or the functions are not there."""
    return result.says.startswith((STUB, MISSING)) and not result.checks and BROKEN not in result.says


def by_hand(exercise):
    """The Result of an exercise that is not marked here."""
    return Result(exercise.id, 0.0, 0.0, {}, f"not marked here: {exercise.by_hand}", "")


def _outcomes(rubric, student, op):
    """An Outcome for each test. When the exercise is given up, the rest crashes unseen."""
    student.next_exercise()
    for name, case in rubric.cases:
        student.next_test()
        if student.given_up:
            yield Outcome(name, "crashed", StudentError(student.given_up), [])
        else:
            yield run_test(name, case, op)


def _result(rubric, student, outcomes, absent):
    exercise, wrong = rubric.exercise, [o for o in outcomes if o.status != "passed"]
    checks = {}
    for o in outcomes:
        held, n = checks.get(sentence(o.test), (0, 0))
        checks[sentence(o.test)] = held + (o.status == "passed"), n + 1
    said = [f"not written: {', '.join(absent)}"] if absent else []
    said += [_reason(wrong[0])] if wrong else []
    said += [f"{name} writes into what it is given" for name in sorted(student.wrote) if wrong and not exercise.through]
    said += [student.given_up] if student.given_up else []
    ours = [(name, case) for name, case in rubric.cases if not name.startswith(HIDDEN)]
    seen = [o for o in outcomes if not o.test.startswith(HIDDEN)]
    likely = diagnose(exercise.concept, seen, ours, rubric.bank()) if wrong else ""
    points = round(exercise.points * rubric.share(outcomes), 2)
    return Result(exercise.id, points, exercise.points, checks, "; ".join(said), likely)


def _reason(outcome):
    """The first test that does not hold, and why, in a sentence."""
    if isinstance(outcome.error, StudentError | Malformed):
        words = sentence(outcome.test)
        return f"{words[:1].upper()}{words[1:]}: {outcome.error}"
    if outcome.status == "crashed":
        outcome.error.with_traceback(None)             # it leads through our files; the student's line is in the text
    return first_reason([outcome])


def _functions(rubric, student, absent):
    """The roles, played by the student's functions; what is absent says so when it is called."""
    exercise, roles = rubric.exercise, {}
    for name, role in exercise.functions.items():
        mine = _absent(name) if name in absent else Remote(student, name, rubric.signature(role),
                                                           keep=role.endswith("_forward"))
        roles[role] = named(exercise.through)(mine) if exercise.through else mine
    for role in exercise.used:
        theirs = role in student.functions and role not in exercise.given
        roles[role] = Remote(student, role, rubric.signature(role), keep=True) if theirs else _given(exercise, role)
    return roles


def _given(exercise, role):
    """What stands in for a function that the student was not asked for, or has not written."""
    return named(exercise.given[role]) if role in exercise.given else reference(exercise.concept, role)


def _absent(name):
    def absent(*args, **options):
        raise NameError(f"{name} is not written")

    return absent


def _not_there(missing, errors):
    why = "; ".join(f"{pathlib.Path(file).name}: {error}" for file, error in errors.items())
    return f"{MISSING}{', '.join(missing)}" + (f"{BROKEN}{why})" if why else "")
