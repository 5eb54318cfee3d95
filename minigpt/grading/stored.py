"""A contract as arrays: what the right answer gave to each call of each test.

tests/stored/X.npz of a release (`grade release`) holds the calls. `stored_tests` makes the tests of X of it, and
`played` a version of X that knows these answers and no others.
"""
import functools
import hashlib
import json

import numpy as np
import pytest

from minigpt.grading.compare import REFUSALS, TOLERANCE, Mismatch, Tolerance, Unasked, assert_close, refused, untouched
from minigpt.grading.crossing import ERRORS
from minigpt.grading.frames import Unknown
from minigpt.grading.op import STORED, Op
from minigpt.grading.stored_file import arrays_in, load, save

CONTRACT = '''"""What must hold of {concept}, judged by stored arrays: what the right answer gave to each call."""
import pathlib

from minigpt.grading.stored import stored_tests

globals().update(stored_tests(pathlib.Path(__file__).parent / "stored" / "{concept}.npz"))
'''
OPENED = {}             # concept -> files whose tests were asked for, hidden ones too

def write_contract(folder, concept, cases):
    """A test file that judges by arrays, and the arrays."""
    save(folder / "stored" / f"{concept}.npz", cases)
    (folder / f"test_{concept}.py").write_text(CONTRACT.format(concept=concept), encoding="utf-8")


def stored_tests(path):
    """{name: test} of a file of cases: each test runs its calls over `op`, and compares what comes back."""
    by_test = {}
    OPENED.setdefault(path.stem, set()).add(path)
    for case in load(path):
        name, bracket, values = case.partition("[")
        by_test.setdefault(name, []).append(values.removesuffix("]") if bracket else None)
    return {name: _test(path, name, values) for name, values in by_test.items()}


def _test(path, name, values):
    def each(op, case):
        for call in load(path)[f"{name}[{case}]"]:
            judge(op, call)

    def alone(op):
        for call in load(path)[name]:
            judge(op, call)

    test = alone if values == [None] else pytest.mark.parametrize("case", values)(each)
    test.__name__ = test.__qualname__ = name
    return test


def judge(op, call):
    """Raise AssertionError unless an implementation answers one call as the right one did."""
    if call["error"]:
        with refused("what cannot be computed", *(ERRORS[name] for name in [call["error"], *call.get("errors", ())])):
            answer(op, call)
        return
    given = {"an input": call["inputs"], "an option": call["options"], "dy": call["dy"]} if call["untouched"] else {}
    flat = {f"{name} {at}": x for name, value in given.items() for at, x in enumerate(arrays_in(value))}
    try:
        with untouched(**flat):
            y, gradients = answer(op, call)
    except REFUSALS as error:
        if type(error) in REFUSALS and "refusal" in call.get("lax", ()):
            return
        raise
    _agree(y, call["y"], "y", call)
    if call["gradients"] is not None:
        n, asked = len(call["gradients"]), not any(isinstance(g, Unasked) for g in gradients)
        if asked and len(gradients) != n:
            raise Mismatch(f"there are {len(gradients)} gradients, expected {n}", "gradients", len(gradients), n)
        for at, (got, expected) in enumerate(zip(gradients, call["gradients"], strict=False)):
            _agree(got, expected, f"gradient {at + 1}", call)


def answer(op, call):
    """(y, gradients or None) of an implementation for one call."""
    inputs, options, function = call["inputs"], call["options"], call["function"]
    if call["how"] == "run":
        return op.run(inputs, call["dy"], function=function, **options)
    if call["how"] == "forward":
        return op.forward(inputs, function=function, **options), None
    return op.call(function, *inputs, **options), None


def _agree(got, expected, what, call):
    """Raise Mismatch unless a result is what was stored; where `loose`, in shape, and in being finite."""
    if isinstance(got, Unasked):
        return
    if isinstance(expected, np.ndarray | np.generic | float):
        _agree_in_numbers(got, np.asarray(expected), what, call)
    elif _has_parts(got, expected, what, call) and len(got) == len(expected):
        keys = list(expected) if isinstance(expected, dict) else range(len(expected))
        if isinstance(expected, dict) and set(keys) != set(got):
            raise Mismatch(f"{what} has {sorted(map(str, got))[:9]}, expected {sorted(map(str, keys))[:9]}", what, got,
                           expected)
        for key in keys:
            _agree(got[key], expected[key], f"{what}[{key!r}]", call)
    elif isinstance(got, Unknown) or got != expected:
        raise Mismatch(f"{what}: expected {str(expected)[:80]}, got {str(got)[:80]}", what, got, expected)


def _has_parts(got, expected, what, call):
    """Whether both are lists, tuples or dicts of a kind; where the test says so, a list will do for a tuple."""
    if ("sequence" if what == "y" else "inside") in call.get("lax", ()) and isinstance(got, list | tuple):
        return isinstance(expected, list | tuple)
    return isinstance(expected, list | tuple | dict) and type(got) is type(expected)


def _agree_in_numbers(got, expected, what, call):
    dtype = getattr(got, "dtype", expected.dtype)
    if call["dtype"] and dtype != expected.dtype:
        raise Mismatch(f"{what} is {dtype}, expected {expected.dtype}", what, got, expected)
    if call["loose"]:
        finite = np.where(np.isfinite(np.asarray(got)), expected, got) if np.shape(got) == expected.shape else got
        assert_close(finite, expected, what)
        return
    table = [TOLERANCE.get(np.dtype(d), Tolerance(0, 0)) for d in (dtype, expected.dtype)]
    assert_close(got, expected, what, tolerance=max(table))


def played(concept):
    """A version of a concept that knows the stored answers, and no others: those of hidden tests, once opened, too."""
    roles = {key[0]: call for key, call in _answers(frozenset({STORED / f"{concept}.npz"})).items()}
    return Op(concept, "stored", {role: _player(concept, role, call["how"] == "call") for role, call in roles.items()})


@functools.cache
def _answers(paths):
    """{(role, digest of what it is given): call} of some files."""
    answers = {}
    for concept, call in ((path.stem, call) for path in paths for calls in load(path).values() for call in calls):
        function = call["function"] or concept
        at = _key(call["inputs"], call["options"])
        answers[function if call["how"] == "call" else f"{function}_forward", at] = call
        if call["gradients"] is not None:
            answers[f"{function}_backward", at, _key(call["dy"])] = call
    return answers


def _player(concept, role, is_call):
    """A function that looks up what it is asked for. A forward's cache is the key of its call."""
    def found(*key):
        answers = _answers(frozenset({STORED / f"{concept}.npz", *OPENED.get(concept, ())}))
        if (role, *key) not in answers:
            raise LookupError(f"{role}: no answer is stored for this")
        return answers[role, *key]

    def backward(dy, cache):
        return tuple(found(cache, _key(dy))["gradients"])

    def forward(*inputs, **options):
        call = found(_key(inputs, options))
        if call["error"]:
            raise ERRORS[call["error"]]("refused, as the right answer refuses it")
        return call["y"] if is_call else (call["y"], _key(inputs, options))

    player = backward if role.endswith("_backward") else forward
    player.__name__ = role
    return player


def _key(*values):
    """A digest of values, whatever the strides of their arrays."""
    def plain(value):
        if isinstance(value, np.ndarray | np.generic):
            return [str(value.dtype), list(np.shape(value)), np.ascontiguousarray(value).tobytes().hex()]
        if isinstance(value, dict):
            return [[str(key), plain(v)] for key, v in value.items()]
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        return repr(value)

    return hashlib.sha256(json.dumps(plain(values)).encode()).hexdigest()
