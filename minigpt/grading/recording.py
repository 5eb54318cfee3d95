"""Recording a contract: what the right answer gives to each call of each test, for `stored` to judge by."""
import functools
import unittest
import warnings

from minigpt.grading.compare import REFUSALS, Unasked
from minigpt.grading.contract import run_test
from minigpt.grading.crossing import ERRORS
from minigpt.grading.op import Op, implementations
from minigpt.grading.rubric import Rubric, reference
from minigpt.grading.spoilt import LAX, in_float64, refusing_by, restored, writing_into
from minigpt.grading.stored import judge
from minigpt.grading.stored_file import ArraysReader, ArraysWriter, Unstorable


class Recorder(Op):
    """An implementation that keeps its calls, and what they gave, in `calls`."""

    def __init__(self, concept, functions):
        super().__init__(concept, "recorded", functions)
        self.calls, self.inside, self.storable = [], False, True

    def run(self, inputs, dy, *, function=None, **options):
        return self._kept("run", super().run, inputs, options, (inputs, dy), function, dy)

    def forward(self, inputs, *, function=None, **options):
        return self._kept("forward", super().forward, inputs, options, (inputs,), function)

    def call(self, function, *args, **options):
        return self._kept("call", super().call, args, options, (function, *args), function)

    def get(self, name):
        function = super().get(name)
        if self.inside:
            return function

        @functools.wraps(function)
        def kept(*args, **options):
            return self._kept("call", lambda *a, **o: function(*args, **options), args, options, (), name)
        return kept

    def _kept(self, how, method, inputs, options, arguments, function, dy=None):
        named = {"function": function} if how != "call" and function else {}
        call = {"how": how, "function": function, "error": "", "y": None, "gradients": None, "untouched": False,
                "dtype": False, "loose": False, **self._copied({"inputs": list(inputs), "options": options, "dy": dy})}
        self.calls.append(call)
        self.inside = True
        try:
            result = method(*arguments, **named, **options)
        except Exception as error:
            call["error"] = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in ERRORS), "")
            self.storable &= bool(call["error"])
            raise
        finally:
            self.inside = False
        y, gradients = result if how == "run" else (result, None)
        unasked = any(isinstance(gradient, Unasked) for gradient in gradients or ())         # there is no backward
        call |= self._copied({"y": y, "gradients": None if unasked else gradients})
        return result

    def _copied(self, values):
        """Copies with the strides that arrays have; nothing if it cannot be stored."""
        writer = ArraysWriter()
        try:
            tree = writer.tree(values)
        except Unstorable:
            self.storable = False
            return {}
        return ArraysReader(writer.by_digest).value(tree)


def recorded(concept, exercises):
    """The cases of the contract of a concept that count for some of these exercises: {name: [call]}.

    Raises Unstorable if for one of them none is left: each hands over what cannot be stored.
    """
    kept = {}
    for exercise in exercises:
        rubric = Rubric(exercise)
        cases = {name: calls for name, case in rubric.cases if (calls := _calls(concept, exercises, name, case))}
        if not cases:
            raise Unstorable("it is handed what cannot be stored as arrays, such as functions")
        kept |= {name: calls for name, calls in cases.items() if name not in kept}
    return kept


def right(concept, exercises):
    """{role: function} of ours, of what these exercises ask for and need."""
    roles = {role for exercise in exercises for role in (*exercise.functions.values(), *exercise.used)}
    return {role: reference(concept, role) for role in sorted(roles)}


def _calls(concept, exercises, name, case):
    """The calls of one test, or nothing if it cannot be stored."""
    functions = right(concept, exercises)
    recorder = Recorder(concept, functions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if run_test(name, case, recorder).status != "passed" or not recorder.storable:
            return []
        marks = _marks(concept, functions, name, case, any(call["error"] for call in recorder.calls))
        for call in recorder.calls:
            call |= marks
            call["loose"] = not call["error"] and others_differ(concept, call)
    return recorder.calls


def _marks(concept, functions, name, case, refuses):
    """What a test minds, and what it does not: tried with right functions that are changed in one way each."""
    def accepts(spoilt):
        op = Op(concept, "spoilt", {role: spoilt(function) for role, function in functions.items()})
        return run_test(name, case, op).status == "passed"

    with restored() as written:
        untouched = not accepts(functools.partial(writing_into, written))
    kinds = [kind for kind in REFUSALS if refuses and accepts(functools.partial(refusing_by, kind))]
    return {"untouched": untouched, "dtype": not accepts(in_float64), "errors": [kind.__name__ for kind in kinds],
            "lax": [word for word, spoilt in LAX.items() if accepts(spoilt)]}


def others_differ(concept, call):
    """Whether a version in PyTorch or in tiles, which the contract holds for as well, answers a call otherwise."""
    return any(_differs(op, call) for op in implementations(concept) if op.name in ("torch", "fused", "tiled"))


def _differs(op, call):
    """Whether another right version answers a call otherwise: then the test does not ask for these numbers."""
    try:
        judge(op, call)
    except AssertionError:
        return True
    except (unittest.SkipTest, Exception):             # it does not have the function, or takes no such arrays
        return False
    return False
