"""Writing a student's own task into a release, and what only the instructor has into the key beside it."""
import functools
import inspect
import json
import re

import numpy as np
import torch

from minigpt.commands.start import lesson_files
from minigpt.errors import InputError
from minigpt.grading.contract import run_test
from minigpt.grading.exercises import IDENTITY
from minigpt.grading.op import Op
from minigpt.grading.recording import others_differ, right
from minigpt.grading.release_words import MINUTES, POINTS
from minigpt.grading.stored import answer, write_contract
from minigpt.grading.stored_file import arrays_in
from minigpt.grading.variants import FITS, Draw, variants

TASK = """
## Your own task: {title} ({id})

This task is yours: others have other numbers, and other changes. Its answer is not in this repository.

{text}

Derive the gradient, and write both.

"""
CHECK = '''from minigpt.grading import check

check("{concept}", {concept}_forward, {concept}_backward)'''
KEY = """\
# The key of a release: for the instructor alone

`python -m minigpt grade SUBMISSION --hidden THIS_FOLDER`, run in the release, adds the hidden tests that are here: they
have other numbers than those that the release stores. answer_*.py are right answers to the tasks that the ID chose:
{seed!r}.
"""
ANSWER = '''"""A right answer to {id}: PyTorch derives its gradient."""
import torch

NUMBERS = {numbers}


{source}

def {concept}_forward(*inputs):
    given = [torch.tensor(x) for x in inputs]
    leaves = [x.requires_grad_() for x in given if x.is_floating_point()]
    y = {function}(*given, **NUMBERS)
    return y.detach().numpy(), (y, leaves)


def {concept}_backward(dy, cache):
    y, leaves = cache
    dy = torch.as_tensor(dy, dtype=y.dtype).reshape(y.shape)
    return tuple(g.numpy() for g in torch.autograd.grad(y, leaves, dy, retain_graph=True))
'''


def chosen_tasks(seed, exercises):
    """The Variants of a seed, for lessons that are assigned. Raises InputError if none fits."""
    tasks = variants(seed, list(dict.fromkeys(exercise.lesson for exercise in exercises)))
    if not tasks:
        raise InputError(f"--seed: no task varies in these lessons; there are some for {', '.join(FITS)}")
    return tasks


def write_task(task, part, key, seed):
    """Add a task to a release, in its lesson, notebook and table, and its answer to the key. Returns its id."""
    path = lesson_files(part)[task.lesson]
    text = path.read_text(encoding="utf-8")
    numbers = [int(found[1].partition(".")[2]) for line in text.splitlines() if line.startswith("#")
               and (found := IDENTITY.search(line))]
    id = f"{task.lesson}.{max(numbers, default=0) + 1}"
    told, check = TASK.format(title=task.title, id=id, text=task.text), CHECK.format(concept=task.concept)
    path.write_text(f'{text}{told}```python tags=["exercise"]\n{task.stub}```\n\n```python\n{check}\n```\n',
                    encoding="utf-8")
    _add_cells(part / "notebooks" / f"{path.stem}.ipynb", told.strip(), task.stub.rstrip("\n"), check)
    with open(part / "lessons" / "exercises.toml", "a", encoding="utf-8") as table:
        table.write(f'\n["{id}"]\npoints = {POINTS}\nminutes = {MINUTES}\n')
    write_contract(part / "tests", task.concept, cases(task, _number(seed, id)))
    write_contract(key, task.concept, _renamed(cases(task, _number(seed, f"{id}, hidden"))))
    source = inspect.getsource(task.function)
    (key / f"answer_{task.concept}.py").write_text(
        ANSWER.format(id=id, numbers=task.numbers, source=source, concept=task.concept,
                      function=task.function.__name__), encoding="utf-8")
    return id


def cases(variant, seed):
    """What to store of a task: {name of a test: [call]}, as `recording` makes them. seed: of the numbers."""
    rng = np.random.default_rng(seed)
    call = functools.partial(_call, variant, rng)
    return {"test_a_small_example": [call(0)],
            **{f"test_it_agrees_with_the_right_answer[{size}]": [call(size)] for size in range(1, 5)},
            "test_the_gradient_is_right_for_several_losses": [call(1) for _ in range(3)],
            "test_large_numbers_are_no_trouble": [call(1, scale=30)],
            "test_float32_stays_float32": [call(1, dtype=np.float32)],
            "test_inputs_are_left_untouched": [call(2, untouched=True)]}


def _call(variant, rng, size, *, scale=1, dtype=np.float64, untouched=False):
    inputs = [scale * x if x.dtype.kind == "f" else x for x in variant.problem(rng, size)]
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    shape = variant.function(*map(torch.tensor, inputs), **variant.numbers).shape
    dy = rng.normal(size=tuple(shape)).astype(dtype)
    y, gradients = variant.answer(inputs, dy)
    return {"how": "run", "function": None, "inputs": inputs, "options": {}, "dy": dy, "y": y.astype(dtype),
            "gradients": tuple(g.astype(dtype) for g in gradients), "error": "", "untouched": untouched,
            "dtype": dtype == np.float32, "loose": False}


def write_hidden(concept, exercises, cases, key, seed):
    """Hidden tests of a concept that is judged by arrays: what is right on other numbers, if there are any."""
    rng, op, hidden = np.random.default_rng(_number(seed, concept)), Op(concept, "right", right(concept, exercises)), {}
    for name, calls in cases.items():
        for at, call in enumerate(calls[:3]):
            if (other := _on_other_numbers(call, rng, op)) is not None and not others_differ(concept, other):
                hidden[f"test_it_is_right_on_other_numbers[{name}, {at + 1}]"] = [other]
    if hidden:
        write_contract(key, concept, hidden)


def _on_other_numbers(call, rng, op):
    """The call with other floating-point numbers, and what is right then; None if there is nothing to change."""
    if call["error"] or call["loose"]:
        return None
    changed = {name: _varied(call[name], rng) for name in ("inputs", "options", "dy")}
    pairs = zip(arrays_in(call["inputs"]), arrays_in(changed["inputs"]), strict=True)
    if all((a == b).all() for a, b in pairs):
        return None
    other, results = call | changed | {"untouched": False}, []
    outcome = run_test("", lambda op: results.append(answer(op, other)), op)
    if outcome.status != "passed":
        return None
    y, gradients = results[0]
    return other | {"y": y, "gradients": None if call["gradients"] is None else tuple(gradients)}


def _varied(value, rng):
    """A value with its floating-point arrays changed a little; what looks like probabilities stays."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        is_distribution = value.ndim and value.size and (value >= 0).all() and np.allclose(value.sum(axis=-1), 1)
        return value.copy() if is_distribution else (value * (1 + 0.1 * rng.random(value.shape))).astype(value.dtype)
    if isinstance(value, dict):
        return {key: _varied(part, rng) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_varied(part, rng) for part in value)
    return value


def _renamed(tests):
    """The tests of a task as one property: right on other numbers."""
    return {f"test_it_is_right_on_other_numbers[{re.sub('^test_', '', name)}]": calls for name, calls in tests.items()}


def _number(seed, text):
    return Draw(f"{text}\0{seed}").number()


def _add_cells(path, told, stub, check):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [("markdown", told, []), ("code", stub, ["exercise"]), ("code", check, [])]
    for at, (kind, source, tags) in enumerate(cells):
        code = {"outputs": [], "execution_count": None} if kind == "code" else {}
        notebook["cells"].append({"cell_type": kind, "id": f"own-{at}", "metadata": {"tags": tags} if tags else {},
                                  "source": source} | code)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
