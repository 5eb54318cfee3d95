"""Every numbered equation of a lesson is cited by code of that lesson, and its concept has a contract.

What is read, without running anything: an equation is a bullet such as `- (4) y = ...`; (1) begins a new group. The
code of a group is all that stands between its first bullet and that of the next group: cells with their stubs,
`<!-- code: -->` blocks, and what `side_by_side` and `source` draw from the package. There a comment or a docstring
cites (4), (2) to (4), equation 4, or eq. 4; a check cites what the typical mistakes of its functions cite. That the
line computes the equation is for the contract to say, which is a file of tests, and not for this one.
"""
import ast
import io
import re
import tokenize
from collections import namedtuple
from pathlib import Path

import pytest

from lessons.convert import DRAWING
from minigpt.commands.start import lesson_files
from minigpt.grading.exercises import exercises
from minigpt.listing import code_of, kernel_versions, versions

ROOT = Path(__file__).parent.parent
FOLDERS = {"minigpt", "reference", "tiled", "kernels"}
BESIDES = {"modern_block": {5, 6}}     # its stub of rope_backward says what they are: (3) and (4), turned back

Group = namedtuple("Group", "lesson place numbers code")
EVENTS = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```|^- \((\d+)\) ", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
AND = r"(?:, and |, | and | to )"
CITED = re.compile("|".join([
    rf"\b(?i:equations?|eqs?\.) (\d+(?:{AND}\d+)*)",
    rf"(?<![\w.\])])(\(\d+\)(?:{AND}\(\d+\))*)",       # (2), (3) and (4), but not the call f(2)
    r"\([a-z_]{3,}, (\d+)\)",                          # (tokenizer, 7)
]))


# Reading

def cited(text):
    """The numbers of the equations that a text cites."""
    found = set()
    for match in CITED.finditer(" ".join(text.split())):
        words = re.findall(r"\d+|to", next(group for group in match.groups() if group))
        for place, word in enumerate(words):
            if word == "to":
                found |= set(range(int(words[place - 1]), int(words[place + 1]) + 1))
            else:
                found.add(int(word))
    return found


def plain(code):
    """A cell without its magic lines, which are no Python."""
    return "".join(f"{line}\n" for line in code.splitlines() if not line.lstrip().startswith("%"))


def remarks(code):
    """The comments and docstrings of Python source, joined."""
    code = plain(code)
    found = [token.string for token in tokenize.generate_tokens(io.StringIO(code).readline)
             if token.type == tokenize.COMMENT]
    nodes = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return "\n".join([*found, *(ast.get_docstring(node) or "" for node in nodes)])


def drawn(code):
    """The full names of what a cell draws from the package."""
    for function, name, options in DRAWING.findall(code):
        if function == "source":
            yield name
        elif function == "side_by_side":
            pairs = kernel_versions(name) if "kernel" in options else ((n, [t] if t else []) for n, t in versions(name))
            yield from (one for left, rights in pairs for one in (left, *rights))


def checks(code):
    """(concept, functions that are checked, or None if the code does not name them) of each check in a cell."""
    for node in ast.walk(ast.parse(plain(code))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
            concept, names = node.args[0].value, [word.arg for word in node.keywords]
            names += [f"{concept}_forward", f"{concept}_backward"][:len(node.args) - 1]
            yield concept, None if None in names else names


def sayings(concept):
    """(function, sentence) of each typical mistake of a concept, read without running it: no Triton is needed."""
    path = ROOT / "tests" / "mistakes" / f"{concept}.py"
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    for node in ast.walk(tree):
        for mark in getattr(node, "decorator_list", []):
            name = getattr(getattr(mark, "func", None), "id", "")
            if name == "mistake":
                yield ast.unparse(mark.args[0]).strip("'"), ast.unparse(mark.args[1])
            elif name == "instead":
                yield ast.unparse(mark.args[0]), ast.get_docstring(node) or ""


def groups(lesson, text):
    """The groups of equations of a lesson, each with the code up to the next."""
    found = []
    for language, source, number in EVENTS.findall(text):
        if number and (not found or number == "1"):
            found.append(Group(lesson, len(found) + 1, set(), []))
        if number:
            found[-1].numbers.add(int(number))
        elif language == "python" and found:
            found[-1].code.append(source)
    return found


def citations(group):
    """The numbers that the code of a group cites."""
    found = set()
    for code in group.code:
        found |= cited(remarks(code))
        for name in drawn(code):
            found |= cited(remarks(code_of(name)))
        for concept, names in checks(code):
            found |= {n for name, says in sayings(concept) if names is None or name in names for n in cited(says)}
    return found


def concepts(group):
    """The concepts that the code of a group checks or draws."""
    for code in group.code:
        yield from (concept for concept, _ in checks(code))
        yield from (next(part for part in name.split(".") if part not in FOLDERS) for name in drawn(code))


def stated(lesson):
    """The numbers of the equations that a lesson has, and of those that its prose explains."""
    bullets = {number for group in groups(lesson, TEXTS[lesson]) for number in group.numbers}
    return bullets | cited(FENCE.sub("", TEXTS[lesson])) | BESIDES.get(lesson, set())


TEXTS = {lesson: path.read_text(encoding="utf-8") for lesson, path in lesson_files(ROOT).items()}
EXERCISES = exercises(ROOT)
by_group = pytest.mark.parametrize("group", [group for lesson, text in TEXTS.items() for group in groups(lesson, text)],
                                   ids=lambda group: f"{group.lesson}-{group.place}")


# The lessons

@by_group
def test_every_equation_is_cited_by_code_of_its_lesson(group):
    missing = group.numbers - citations(group)
    assert not missing, f"{group.lesson}: no code cites {sorted(missing)} of the {group.place}. group of equations"


@by_group
def test_every_group_of_equations_has_a_contract(group):
    known = set(concepts(group))
    assert any((ROOT / "tests" / f"test_{concept}.py").is_file() for concept in known), (
        f"{group.lesson}: the {group.place}. group of equations checks and draws {sorted(known) or 'nothing'}")


@pytest.mark.parametrize("lesson", TEXTS)
def test_code_of_a_lesson_cites_no_equation_that_it_lacks(lesson):
    cells = [code for language, code, _ in EVENTS.findall(TEXTS[lesson]) if language == "python"]
    assert {number for code in cells for number in cited(remarks(code))} <= stated(lesson)


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
def test_a_check_cites_no_equation_that_the_lesson_lacks(exercise):
    for name, says in sayings(exercise.concept):
        if name in exercise.functions.values():
            assert cited(says) <= stated(exercise.lesson), says


# The reading

@pytest.mark.parametrize(("text", "numbers"), [
    ("(1) to (3), and (7)", {1, 2, 3, 7}), ("Equations 10 and 11, eq. 12", {10, 11, 12}), ("(tokenizer, 7)", {7}),
    ("equation\n   (4), undone", {4}), ("f(2), x[0](3), (N, 5), (O, 384), (1536, 384), 1.(6)", set()),
])
def test_what_counts_as_a_citation(text, numbers):
    assert cited(text) == numbers


def test_only_comments_and_docstrings_cite():
    assert cited(remarks('%load_ext x\ndef f(x):\n    """(1)"""\n    return g(2), "(3)"     # (4)\n')) == {1, 4}


def test_a_check_cites_the_mistakes_of_its_functions_alone():
    found = dict(checks('if check("ngram", bigram=f): check("linear", f, g)\ncheck("rope", **given)'))
    assert found == {"ngram": ["bigram"], "linear": ["linear_forward", "linear_backward"], "rope": None}


def test_the_equations_of_a_lesson_are_grouped_by_their_ones():
    text = "- (1) a\n- (2) b\n\n```python\n# (1)\n```\n\n- (4) c\n\n- (1) d\n\n```text\n- (9) no\n```\n"
    assert [(g.place, g.numbers, g.code) for g in groups("x", text)] == [(1, {1, 2, 4}, ["# (1)\n"]), (2, {1}, [])]
