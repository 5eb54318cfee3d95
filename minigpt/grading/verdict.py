"""What `check` found, in a few plain lines: what holds, the first thing that does not, and what follows."""
import re
import traceback
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What `check` found. In a notebook it shows itself; bool(verdict) is True if every property holds."""
    concept: str
    outcomes: tuple
    likely: str = ""        # the sentence of the mistake that gives the same answers
    unwritten: tuple = ()   # functions that are still stubs
    partial: bool = False   # a forward without its backward
    hint: str = ""          # how to get a hint, where something does not hold
    then: str = ""          # what a pass makes possible
    counted: str = ""       # why a pass could not be noted as progress
    kept: str = ""          # where the functions were kept, and what can be done with them

    def __bool__(self):
        found = {o.status for o in self.outcomes}
        return not self.unwritten and "passed" in found and found <= {"passed", "skipped"}

    def __str__(self):
        return "\n".join(_lines(self))

    __repr__ = __str__


def _lines(verdict):
    for name in verdict.unwritten:
        yield f"{name}: your turn - replace the ... and run this cell again."
    judged = [o for o in verdict.outcomes if o.status != "skipped"]
    if not judged:
        if not verdict.unwritten:
            yield f"{verdict.concept}: no check calls what you gave. Are its names those of the lesson?"
        return
    holds = sum(o.status == "passed" for o in judged)
    yield f"{verdict.concept}: {holds} of {len(judged)} checks hold."
    wrong = [o for o in judged if o.status != "passed"]
    for property in dict.fromkeys(sentence(o.test) for o in judged):
        cases = [o.status == "passed" for o in judged if sentence(o.test) == property]
        count = "" if len(cases) == 1 else f" ({sum(cases)} of {len(cases)} cases)"
        yield f"  {'✓' if all(cases) else '✗'} {property}{count}"
    if wrong:
        yield first_reason(wrong)
    if verdict.likely:
        yield f"It answers like this mistake: {verdict.likely}."
    if verdict.partial:
        yield "The gradient was not asked for: give your backward as well when you have one."
    yield from filter(None, [verdict.then, verdict.counted, verdict.kept, verdict.hint if wrong else ""])


def first_reason(wrong):
    """What to say of outcomes that did not pass: the first that says most, as a sentence with its reason."""
    first = next((o for o in wrong if o.status == "failed" or _frames(o)), wrong[0])
    words = sentence(first.test)
    return f"{words[:1].upper()}{words[1:]}: {_reason(first)}"


def sentence(test):
    """The name of a test as the sentence that it is."""
    return test.removeprefix("test_").partition("[")[0].replace("_", " ")


def _reason(outcome):
    error = outcome.error
    said = str(error).splitlines()[0].strip() if str(error) else ""
    if outcome.status == "failed":
        nothing = str(getattr(error, "got", "")) == "None"
        if not hasattr(error, "got") and sentence(outcome.test) == "float32 stays float32":
            return "of inputs in float32 some result is not; .astype(x.dtype), of an input x, brings it back."
        line = traceback.extract_tb(error.__traceback__)[-1].line.removeprefix("assert ").partition("  #")[0]
        return "it gave None; is a `return` missing?" if nothing else f"{said or f'this is not so: {line}'}."
    frames = _frames(outcome)
    where = f" (line {frames[-1].lineno} of {frames[-1].name})" if frames else ""
    return f"it raised {type(error).__name__}: {said}{where}."


def _frames(outcome):
    """Where an exception came from, the student's own lines of it, not those of libraries and of the contract."""
    return [frame for frame in traceback.extract_tb(outcome.error.__traceback__)
            if not re.search("/minigpt/|-packages/", frame.filename) and not frame.name.startswith("test_")]
