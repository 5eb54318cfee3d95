"""What is wrong with a results.json for Gradescope: the documented fields, their types and the values they may have.

Source: "Autograder Specifications", gradescope-autograders.readthedocs.io/en/latest/specs, whose text is docs/specs.md
of github.com/gradescope/autograder_samples, and docs/leaderboards.md there (read in November 2026). The page calls
most fields optional; a field that it does not name is a fault here, since it would be a misspelling.
"""
import json
from collections import namedtuple

Kind = namedtuple("Kind", "words holds")


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_of(*words):
    return Kind(f"one of {', '.join(words)}", lambda value: value in words)


TEXT = Kind("a text", lambda value: isinstance(value, str))
NUMBER = Kind("a number", _is_number)
POSITIVE = Kind("a number, at least 0", lambda value: _is_number(value) and value >= 0)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
LIST = Kind("a list of objects", lambda value: isinstance(value, list) and all(isinstance(v, dict) for v in value))
TEXTS = Kind("a list of texts", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value))
SEEN = _one_of("hidden", "after_due_date", "after_published", "visible")
FORMAT = _one_of("text", "html", "simple_format", "md", "ansi")
WHOLE = {"score": NUMBER, "execution_time": POSITIVE, "output": TEXT, "output_format": FORMAT,
         "test_output_format": FORMAT, "test_name_format": FORMAT, "visibility": SEEN, "stdout_visibility": SEEN,
         "extra_data": OBJECT, "tests": LIST, "leaderboard": LIST}
TEST = {"score": NUMBER, "max_score": NUMBER, "status": _one_of("passed", "failed"), "name": TEXT,
        "name_format": FORMAT, "number": TEXT, "output": TEXT, "output_format": FORMAT, "tags": TEXTS,
        "visibility": SEEN, "extra_data": OBJECT}
LEADER = {"name": TEXT, "value": Kind("a number or a text", lambda value: _is_number(value) or isinstance(value, str)),
          "order": _one_of("asc", "desc")}


def faults(text):
    """A list of sentences, empty if nothing is wrong."""
    try:
        results = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        return [f"no JSON: {error}"]
    if not isinstance(results, dict):
        return ["it is no object"]
    return [*_fields("the file", results, WHOLE), *_parts(results)]


def _refuse(word):
    raise ValueError(f"{word} is no number of JSON")


def _fields(where, given, known):
    for name, value in given.items():
        if name not in known:
            yield f"{where} may have no field {name}"
        elif not known[name].holds(value):
            yield f"{name} of {where} is {value!r}, not {known[name].words}"


def _parts(results):
    """What is wrong with the tests and the leaderboard, and whether there is a score at all."""
    tests, leaders = (results.get(name) if LIST.holds(results.get(name)) else [] for name in ("tests", "leaderboard"))
    for test in tests:
        yield from _fields(f"test {test.get('name', '')!r}", test, TEST)
    for leader in leaders:
        yield from _fields("a leader", leader, LEADER)
        yield from (f"a leader has no {name}" for name in ("name", "value") if name not in leader)
    if "score" not in results and not any("score" in test for test in tests):
        yield "there is no score, neither of the whole nor of a test"
