"""What is checked of each version of each concept, as a table; a hole without a reason fails.

    python -m pytest tests/test_coverage_table.py -s          prints it as Markdown

A property is known by words in the names of tests (WORDS), "any shape" by hypothesis. A version has it (✓) if such a
test passes on it here; one that is skipped does not count. "gradient" is finite differences for the reference, and for
the others a test that asks for their gradient and compares it with a judge's or the reference's. "–" does not apply,
for a reason that is given below.
"""
import fnmatch
import inspect
import pathlib
import re

import pytest

from minigpt.grading.contract import _import_from_tests, _parameters, contract, contract_tests, mistakes, run_test
from minigpt.grading.op import implementations

CONCEPTS = sorted(path.stem for path in pathlib.Path(__file__).parents[1].glob("minigpt/reference/[a-z]*.py"))
NAMES = {"reference": "NumPy", "torch": "PyTorch", "fused": "fused", "tiled": "tiled NumPy", "triton": "Triton"}
JUDGE = r"agrees?_with_(?!the_reference)|library_(finds|agrees)"
TWIN = r"agrees_with_the_reference"
WORDS = {
    "worked example": r"worked|what_its_formula_says|a_lit_row",
    "reference": TWIN,
    "gradient": f"{JUDGE}|{TWIN}",
    "judge": JUDGE,
    "laws": None,                                      # a test that is about nothing else here
    "length 1": r"single|test_one_|a_number_and|hard_text",       # hard text begins with no character, and with one
    "empty": r"test_no_|and_no_|test_nothing_gives|an_empty_array|hard_text",
    "strided": r"strided",
    "extreme": r"large|huge|tiny|smallest|far_(position|above)|longer|as_long_as|hard_text",
    "untouched": r"untouched",
    "dtype": r"(stays|keeps)_float32",
    "any shape": None,                                 # hypothesis
}

SAME_JUDGE = "both agree with the same judge, of any shape"
NO_LOSS = "there is no loss behind it"
NUMBERS = "a number in, a number out"
TEXTS = "texts and tuples have no strides, no dtype, and cannot be written into"
DRAWN = "what comes out is drawn, by each library otherwise; the laws of probability take its place"
NOT_APPLICABLE = {                                     # (concept, version, property): why not
    ("*", "reference", "reference"): "it is the reference",
    ("*", "reference", "any shape"): "the others agree with it on any shape, and PyTorch derives their gradients",
    ("calibration", "*", "gradient"): NO_LOSS,
    ("confusion_matrix", "*", "gradient"): NO_LOSS,
    ("confusion_matrix", "*", "reference"): SAME_JUDGE,
    ("confusion_matrix", "*", "dtype"): "whole numbers, of one kind",
    ("dropout", "*", "worked example"): DRAWN,
    ("dropout", "*", "reference"): DRAWN,
    ("dropout", "*", "judge"): DRAWN,
    ("dropout", "[!r]*", "gradient"): "a law: the gradient passes where the value passed",
    ("generation", "*", "gradient"): NO_LOSS,
    ("generation", "*", "judge"): "no library here has all three options; each has worked examples and laws",
    ("kv_cache", "*", "gradient"): "it is for reading: learning with it is refused",
    ("kv_cache", "*", "judge"): "the judge is the model that reads everything at once",
    ("ggml_blocks", "*", "gradient"): NO_LOSS,
    ("label_scores", "*", "gradient"): NO_LOSS,
    ("label_scores", "*", "judge"): "no library here has it; any shape is compared with its formula",
    ("minhash", "*", "gradient"): NO_LOSS,
    ("minhash", "*", "reference"): SAME_JUDGE,
    ("minhash", "*", "dtype"): "whole numbers, of one kind",
    ("muon", "*", "gradient"): NO_LOSS,
    ("muon", "*", "reference"): SAME_JUDGE,
    ("optimisers", "*", "gradient"): NO_LOSS,
    ("optimisers", "fused", "untouched"): "it writes into its inputs, as it says",
    ("rope", "*", "reference"): SAME_JUDGE,
    ("rope_pairs", "*", "gradient"): NO_LOSS,
    ("schedules", "*", "gradient"): NO_LOSS,
    ("schedules", "*", "reference"): SAME_JUDGE,
    **{("schedules", "*", wanted): NUMBERS for wanted in ("length 1", "empty", "strided", "untouched", "dtype")},
    ("speculation", "*", "gradient"): NO_LOSS,
    ("speculation", "*", "dtype"): "token ids come out",
    ("tokenizer", "*", "gradient"): NO_LOSS,
    ("tokenizer", "*", "reference"): SAME_JUDGE,
    **{("tokenizer", "*", wanted): TEXTS for wanted in ("strided", "untouched", "dtype")},
    ("wordpiece", "*", "gradient"): NO_LOSS,
    **{("wordpiece", "*", wanted): TEXTS for wanted in ("strided", "untouched", "dtype")},
}


def properties_of(test, function):
    """The properties that a test is about."""
    found = {name for name, words in WORDS.items() if words and re.search(words, test)}
    if hasattr(function, "hypothesis"):
        found.add("any shape")
    return found or {"laws"}


def passes(case, op, *, asks_gradient=False):
    """Whether a test passes on an implementation, and asked for a gradient if it was to."""
    asked, run = [], op.run
    op.run = lambda *args, **options: asked.append(args) or run(*args, **options)
    try:
        return run_test("", case, op).status == "passed" and (bool(asked) or not asks_gradient)
    finally:
        del op.run


def rows(concept):
    """(version, {property: whether it is checked}) for each version of a concept."""
    tests, bank = contract_tests(concept), len(mistakes(concept))
    cases = [(name, case, properties_of(name, tests[name.partition("[")[0]])) for name, case in contract(concept)]
    for op in implementations(concept):
        is_own = op.name == "reference"                # that it agrees with itself says nothing
        row = {wanted: any(wanted in found and not (is_own and re.search(TWIN, name))
                           and passes(case, op, asks_gradient=wanted == "gradient") for name, case, found in cases)
               for wanted in WORDS}
        if is_own:
            row["gradient"] = finite_differences_hold(concept)
        yield op.name, row | {"mistakes": bank}


def finite_differences_hold(concept):
    """Whether the gradients of the reference are compared with finite differences, and agree."""
    files = (path.stem for path in pathlib.Path(__file__).parent.glob(f"test_{concept}*.py"))
    tests = [test for file in files for name, test in vars(_import_from_tests(file)).items()
             if name.endswith("_finite_differences")]
    for test in tests:
        assert "op" not in inspect.signature(test).parameters
        test(**next(values for _, values in _parameters(test)))
    return bool(tests)


def reason(*place):
    """Why a property does not apply to a version of a concept, or None."""
    return next((why for key, why in NOT_APPLICABLE.items() if all(map(fnmatch.fnmatch, place, key))), None)


def markdown(table):
    """A table of (concept, version, row), line by line."""
    head = ["concept", "version", *WORDS, "mistakes"]
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    for concept, version, row in table:
        cells = ["✓" if row[wanted] else "–" if reason(concept, version, wanted) else "**?**" for wanted in WORDS]
        yield f"| {' | '.join([f'`{concept}`', NAMES[version], *cells, str(row['mistakes'])])} |"


@pytest.mark.slow
def test_every_version_is_checked_in_every_way_that_applies_and_every_reason_is_needed():
    table = [(concept, *row) for concept in CONCEPTS for row in rows(concept)]
    print("", *markdown(table), sep="\n")
    holes = [(concept, version, wanted) for concept, version, row in table for wanted in row if not row[wanted]]
    assert [hole for hole in holes if not reason(*hole)] == []
    unneeded = [key for key in NOT_APPLICABLE if not any(all(map(fnmatch.fnmatch, hole, key)) for hole in holes)]
    assert unneeded == []
