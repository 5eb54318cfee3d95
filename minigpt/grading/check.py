"""check(): runs the contract of a concept over a student's functions, and answers in a few plain lines."""
import traceback
from dataclasses import dataclass

from minigpt.errors import InputError
from minigpt.grading.compare import same
from minigpt.grading.contract import contract, mistakes, run_contract, run_test
from minigpt.grading.op import Op


@dataclass(frozen=True)
class Verdict:
    """What `check` found. In a notebook it shows itself; bool(verdict) is True if every property holds."""
    concept: str
    outcomes: tuple
    likely: str = ""        # the sentence of the mistake that gives the same answers
    unwritten: str = ""     # the function that is still a stub

    def __bool__(self):
        return not self.unwritten and all(o.status in ("passed", "skipped") for o in self.outcomes)

    def __str__(self):
        return "\n".join(_lines(self))

    __repr__ = __str__


def check(concept, forward=None, backward=None, *, torch=None, **functions):
    """Check your implementation of a concept against its contract.

    concept: the name of a room, such as "softmax".
    forward, backward: your NumPy functions, forward(...) -> (y, cache) and backward(dy, cache) -> gradients;
    with forward alone (it may return just y) the gradient is not asked for.
    torch: or your PyTorch function, whose gradient PyTorch derives.
    functions: other functions of the room by name, such as check("generation", sample=my_sample).
    Returns a Verdict, which prints itself.
    Raises InputError for a concept that has no contract.
    """
    given = {f"{concept}_forward": forward, f"{concept}_backward": backward, concept: torch}
    functions |= {name: function for name, function in given.items() if function is not None}
    if not functions:
        raise InputError(f"check({concept!r}) needs your function: check({concept!r}, forward, backward)")
    return check_functions(concept, functions, is_torch=torch is not None)


def check_functions(concept, functions, *, is_torch=False):
    """check() for a whole room: {function name: function}, names as in the reference."""
    try:
        contract(concept)
    except ModuleNotFoundError as error:
        if error.name != f"test_{concept}":
            raise
        raise InputError(f"no contract for {concept!r}; the concepts are the files of minigpt/reference") from None
    op = Op(concept, "yours", functions, is_torch=is_torch)
    outcomes = run_contract(concept, op)
    stub = _stub(outcomes, functions)
    if stub:
        return Verdict(concept, (), unwritten=stub)
    return Verdict(concept, tuple(outcomes), likely=diagnose(concept, outcomes))


def diagnose(concept, outcomes):
    """The sentence of the first mistake in the bank that answers the failed tests exactly as these outcomes do."""
    failed = [o for o in outcomes if o.status == "failed" and o.log][:3]
    cases = dict(contract(concept))
    for mistake in mistakes(concept) if failed else ():
        if all(_same_answers(run_test(o.test, cases[o.test], mistake.op), o) for o in failed):
            return mistake.says
    return ""


def _same_answers(mine, yours):
    return (mine.status == yours.status and len(mine.log) == len(yours.log)
            and all(map(same, mine.log, yours.log)))


def _stub(outcomes, functions):
    """The name of a function whose body is still `...`: it takes anything and returns None."""
    if any(o.status == "passed" for o in outcomes):
        return ""
    return next((name for name, f in functions.items() if _returns_nothing(f)), "")


def _returns_nothing(function):
    code = getattr(function, "__code__", None)
    return code is not None and code.co_names == () and set(code.co_consts) <= {None, ..., function.__doc__}


def _lines(verdict):
    if verdict.unwritten:
        yield f"{verdict.unwritten}: your turn - replace the ... and run this cell again."
        return
    judged = [o for o in verdict.outcomes if o.status != "skipped"]
    holds = sum(o.status == "passed" for o in judged)
    yield f"{verdict.concept}: {holds} of {len(judged)} properties hold."
    wrong = [o for o in judged if o.status != "passed"]
    for outcome in judged:
        if outcome.status == "passed":
            yield f"  ✓ {_sentence(outcome.test)}"
    for outcome in wrong:
        yield f"  ✗ {_sentence(outcome.test)}"
    if wrong:
        first = next((o for o in wrong if o.status == "failed"), wrong[0])
        yield f"{_sentence(first.test).capitalize()}: {_reason(first)}."
    if verdict.likely:
        yield f"It answers like this mistake: {verdict.likely}."
    if any(o.status == "skipped" for o in verdict.outcomes):
        yield "Not asked: what needs a function that you did not give."


def _sentence(test):
    return test.removeprefix("test_").replace("_", " ")


def _reason(outcome):
    error = outcome.error
    if outcome.status == "failed":
        return str(error).splitlines()[0] if str(error) else "does not hold"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/minigpt/" not in f.filename]
    where = f" (line {frames[-1].lineno} of {frames[-1].name})" if frames else ""
    return f"it raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}{where}"
