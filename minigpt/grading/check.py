"""check(): runs the contract of a concept over a student's functions, and answers in a few plain lines."""
import dis
import importlib.util
import warnings
from dataclasses import replace

from minigpt.errors import InputError
from minigpt.grading.compare import same
from minigpt.grading.contract import contract, mistakes, run_contract, run_test
from minigpt.grading.hints import done, hint, offer
from minigpt.grading.keep import keep
from minigpt.grading.op import STORED, Op, implementations
from minigpt.grading.verdict import Verdict
from minigpt.progress import note


def check(concept, forward=None, backward=None, *, torch=None, **functions):
    """Check your implementation of a concept against its contract.

    concept: the name of a room, such as "softmax".
    forward, backward: your NumPy functions, forward(...) -> (y, cache) and backward(dy, cache) -> gradients;
    with forward alone (it may return just y) the gradient is not asked for.
    torch: or your PyTorch function, whose gradient PyTorch derives.
    functions: other functions of the room by name, such as check("generation", sample=my_sample); or a kernel of
    yours, check("softmax_kernel", softmax_forward_kernel=mine), which our launches then use.
    Returns a Verdict, which prints itself. What passes is kept in the folder my/, for `train --mine`, and counted
    in the list of `python -m minigpt start`. After it, check.hint() gives a hint.
    Raises InputError for a concept that has no contract.
    """
    given = {f"{concept}_forward": forward, f"{concept}_backward": backward, concept: torch}
    functions |= {name: function for name, function in given.items() if function is not None}
    if not functions:
        raise InputError(f"check({concept!r}) needs your function: check({concept!r}, forward, backward)")
    verdict = check_functions(concept, functions, is_torch=torch is not None)
    line = offer(concept, functions, verdict.unwritten)
    if not verdict:
        return replace(verdict, hint=line)
    exercises = done(concept, functions)
    then = exercises[0].then if exercises else ""
    return replace(verdict, then=then, counted=note([e.id for e in exercises]), kept=keep(concept, functions))


check.hint = hint


def check_functions(concept, functions, *, is_torch=False):
    """check() for a whole room: {function name: function}, names as in the reference."""
    if concept.endswith("_kernel") and importlib.util.find_spec("triton") is None:
        raise InputError(f"{concept} is checked where Triton is: on Linux")
    try:
        contract(concept)
    except ModuleNotFoundError as error:
        if error.name != f"test_{concept}":
            raise
        where = "README.md names those of a release" if STORED.is_dir() else "they are the files of minigpt/reference"
        raise InputError(f"no contract for {concept!r}; {where}") from None
    stubs = tuple(name for name, function in functions.items() if is_stub(function))
    written = {name: function for name, function in functions.items() if name not in stubs}
    if not written:
        return Verdict(concept, (), unwritten=stubs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                # a wrong answer may warn; its value is judged
        outcomes = tuple(run_contract(concept, _yours(concept, written, is_torch)))
    partial = f"{concept}_forward" in written and f"{concept}_backward" not in written
    if partial:
        outcomes = tuple(_without_gradient_tests(concept, outcomes))
    return Verdict(concept, outcomes, diagnose(concept, outcomes), stubs, partial)


def _yours(concept, functions, is_torch):
    """What is judged: the student's functions alone, or, of a kernel, within the launches of ours."""
    if not concept.endswith("_kernel"):
        return Op(concept, "yours", functions, is_torch=is_torch)
    return implementations(concept)[0].with_functions("yours", functions)


def _without_gradient_tests(concept, outcomes):
    """Skip what even the reference fails when its forward stands alone: those tests are about the gradient."""
    name, cases = f"{concept}_forward", dict(contract(concept))
    alone = Op(concept, "reference", {name: implementations(concept)[0].functions[name]})
    for o in outcomes:
        is_wrong = o.status in ("failed", "crashed")
        unfair = is_wrong and run_test(o.test, cases[o.test], alone).status != "passed"
        yield o._replace(status="skipped") if unfair else o


def diagnose(concept, outcomes, cases=None, bank=None):
    """The sentence of the mistake that answers the failed tests as these outcomes do: the first, and most others.

    Of two that do so equally well it is the one that fails the same tests. A mistake that answers by chance never
    answers twice alike: it is known by failing the same tests, and no other.
    cases: the tests that the outcomes are of, if not all of the contract. bank: the mistakes to look at, if not all.
    """
    failed, cases = [o for o in outcomes if o.status == "failed" and o.log][:5], dict(cases or contract(concept))
    bank = (mistakes(concept) if bank is None else bank) if failed else []
    is_kernel = concept.endswith("_kernel")            # interpreted: the whole contract for each would take minutes
    alike = {mistake: _n_alike(mistake, failed, cases) for mistake in bank}
    best = [mistake for mistake in bank if alike[mistake] == max(alike.values()) > 0]
    if len(best) == 1 or is_kernel:
        return best[0].says if best else ""
    apart = {mistake: _n_apart(mistake, outcomes, cases) for mistake in best or bank
             if best or _is_random(mistake, failed[0], cases)}
    likely = min(apart, key=apart.get, default=None)
    return likely.says if likely and (best or apart[likely] == 0) else ""


def _n_alike(mistake, failed, cases):
    """How many of these tests a mistake answers as they were answered; 0 if not even the first."""
    n = 0
    for o in failed:
        n += _same_answers(run_test(o.test, cases[o.test], mistake.op), o)
        if n == 0:
            break
    return n


def _n_apart(mistake, outcomes, cases):
    """How many tests end otherwise for a mistake."""
    theirs = [run_test(name, case, mistake.op) for name, case in cases.items()]
    return sum(a.status != b.status != "skipped" for a, b in zip(theirs, outcomes, strict=True))


def _is_random(mistake, outcome, cases):
    """Whether a mistake answers a test otherwise each time."""
    return not _same_answers(*(run_test(outcome.test, cases[outcome.test], mistake.op) for _ in range(2)))


def is_stub(function):
    """True for a function whose body is still `...`."""
    function = getattr(function, "fn", function)       # a kernel holds its function
    code = getattr(function, "__code__", None)
    if code is None or code.co_names or not set(code.co_consts) <= {None, ..., function.__doc__}:
        return False
    return not any(step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) for step in dis.get_instructions(code))


def _same_answers(mine, yours):
    return (mine.status == yours.status and len(mine.log) == len(yours.log)
            and all(map(same, mine.log, yours.log)))
