"""The tasks that an ID chooses (`grade release --seed`): many, right, and as their text says."""
import re

import numpy as np
import pytest

from minigpt.gradcheck import gradient_errors
from minigpt.grading.variants import variants


def test_two_ids_have_other_tasks_and_the_same_id_the_same():
    lessons = ["attention", "transformer", "backprop"]
    first, again, other = (variants(id, lessons) for id in ("ana", "ana", "bo"))
    assert [task.text for task in first] == [task.text for task in again]
    assert all(a.text != b.text for a, b in zip(first, other, strict=True))
    for at, least in enumerate((190, 80, 80)):         # of 200 students
        assert len({variants(str(id), lessons)[at].text for id in range(200)}) >= least


@pytest.mark.parametrize("id", ["ana", "bo", "cy"])
@pytest.mark.parametrize("lesson", ["attention", "transformer", "backprop"])
def test_the_gradient_of_the_right_answer_to_a_task_equals_finite_differences(lesson, id):
    (task,) = variants(id, [lesson])
    inputs = task.problem(np.random.default_rng(1), 1)
    y = task.answer(inputs, np.zeros(task.answer(inputs, 0 * inputs[0] if lesson != "backprop" else 0.0)[0].shape))[0]
    dy = np.random.default_rng(2).normal(size=y.shape)
    errors = gradient_errors(lambda *given: (task.answer(given, dy)[0], given),
                             lambda dy, given: task.answer(given, dy)[1], tuple(inputs), dy)
    assert max(errors) < 1e-7


def number_after(text, before):
    return float(re.search(re.escape(before) + r"\s*([\d.]*\d)", text)[1])


def by_the_text_of_attention(text, q, k, v):
    """y, one number after the other, of what the text of a task says alone."""
    B, H, T, D = q.shape
    root = {"the fourth root of D": D**0.25, "√D": D**0.5, "D": D}[re.search("/ (.*)", text)[1]]
    biased_first = "(2) score = score" in text
    cap, ratio = number_after(text, f"({3 if biased_first else 2}) score ="), number_after(text, "m<sub>h</sub> =")
    left, right = number_after(text, "unless t −"), re.search(r"≤ s ≤ t(?: \+ (\d))?,", text)[1]
    every, first = map(int, re.search(r"s mod (\d) = (\d)", text).groups())
    y = np.zeros_like(v)
    for b, h, t in np.ndindex(B, H, T):
        p = {}
        for s in range(T):
            score, bias = q[b, h, t] @ k[b, h, s] / root, ratio ** (h + 1) * abs(t - s)
            score = score - bias if biased_first else score
            score = cap * np.tanh(score / cap)
            score = score if biased_first else score - bias
            if t - left <= s <= t + int(right or 0) or s % every == first:
                p[s] = np.exp(score)
        y[b, h, t] = sum(p[s] * v[b, h, s] for s in p) / sum(p.values())
    return y


def by_the_text_of_norm(text, x, weight):
    share, power = number_after(text, "(1) u<sub>c</sub> = x<sub>c</sub> −"), number_after(text, "|<sup>")
    eps = float(re.search(r"r = .*\+ ([\d.]*\d)", text)[1])
    y = np.zeros_like(x)
    for at in np.ndindex(x.shape[:-1]):
        u = x[at] - share * x[at].mean()
        a = (abs(u) ** power).mean()
        r = (a + eps) ** (1 / power) if "r = (a" in text else a ** (1 / power) + eps
        y[at] = u / r * (weight + 1 if "(1 + w" in text else weight)
    return y


def by_the_text_of_cross_entropy(text, logits, targets):
    temperature, price = number_after(text, "logit<sub>j</sub> /"), float(re.search(r"\+ ([\d.]+) · z²", text)[1])
    hit, rest = (float(n) for n in re.findall(r"− ?([\d.]+) · \(", text))
    losses = []
    for row, target in zip(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), strict=True):
        x = row / temperature
        z = np.log(np.exp(x).sum())
        who = [j for j in range(len(x)) if j != target or "the target included" in text]
        if target != -100:
            losses.append(-hit * (x[target] - z) - rest * (x[who] - z).mean() + price * z**2)
    return np.array(sum(losses) / max(len(losses), 1))


@pytest.mark.parametrize(("lesson", "by_the_text"), [
    ("attention", by_the_text_of_attention), ("transformer", by_the_text_of_norm),
    ("backprop", by_the_text_of_cross_entropy)])
def test_the_right_answer_does_what_the_text_says(lesson, by_the_text):
    for id in range(20):
        (task,) = variants(str(id), [lesson])
        inputs = task.problem(np.random.default_rng(id), 1)
        y = by_the_text(task.text, *inputs)
        assert np.allclose(task.answer(inputs, np.ones(y.shape))[0], y, rtol=1e-12), task.text
