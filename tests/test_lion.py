"""The contract of the exercise training.4: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close

OPTIONS = {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "weight_decay": 0.3}
SHAPES = ((3, 4), (5,), (), (0, 2))


def call(op, params, gradients, ms, **options):
    """lion on lists of arrays; tuples of arrays come back."""
    answer = op.get("lion")(list(params), list(gradients), list(ms), **options)
    return op.record(tuple(tuple(map(np.asarray, part)) for part in answer))


def arrays(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def one(p, g, m, op, **options):
    """The new p and m of a single number."""
    (p,), (m,) = call(op, *([np.array([float(x)])] for x in (p, g, m)), **options)
    return p[0], m[0]


def judged(p, g, m, *, lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
    """The judge: algorithm 2 of the paper, for one number, with if in the place of sign."""
    c = beta1 * m + (1 - beta1) * g
    u = 1 if c > 0 else -1 if c < 0 else 0
    return p - lr * (u + weight_decay * p), beta2 * m + (1 - beta2) * g


def assert_judged(got, params, gradients, ms, **options):
    for i, (new_p, new_m, *each) in enumerate(zip(*got, params, gradients, ms, strict=True)):
        numbers = [judged(*map(float, x), **options) for x in zip(*map(np.ravel, each), strict=True)]
        expected = np.array(numbers).reshape(-1, 2).T.reshape(2, *np.shape(each[0]))
        assert_close(new_p, expected[0], f"params[{i}]")
        assert_close(new_m, expected[1], f"ms[{i}]")


def test_a_worked_first_step(op):
    # the mean looks ahead to 0.1 * 2 > 0, so p falls by lr, not by lr 2; m = 0.01 * 2
    p, m = one(5, 2, 0, op, lr=0.5)
    assert_close(p, 4.5, "p")
    assert_close(m, 0.02, "m")


def test_a_worked_second_step_where_the_mean_outvotes_the_gradient(op):
    # 0.9 * 1 - 0.1 * 5 = 0.4 > 0: p falls, though the gradient says up. m = 0.5 * 1 - 0.5 * 5
    p, m = one(3, -5, 1, op, lr=0.25, beta1=0.9, beta2=0.5)
    assert_close(p, 2.75, "p")
    assert_close(m, -2.0, "m")


def test_a_worked_decay(op):
    # without gradient and mean only the decay is left: p - 0.1 * 0.5 p
    zero = [np.zeros(2)]
    (p,), _ = call(op, [np.array([2.0, -4.0])], zero, zero, lr=0.1, weight_decay=0.5)
    assert_close(p, np.array([1.9, -3.8]), "p")


def test_the_decay_stands_outside_the_sign(op):
    # u = -1 and p = 2: 2 - 0.1 (-1 + 0.5 * 2) = 2
    p, _ = one(2, -1, 0, op, lr=0.1, weight_decay=0.5)
    assert_close(p, 2.0, "p")


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_every_number_moves_by_lr_however_long_the_gradient_is(op, size):
    gradients = [size * g for g in arrays(1)]
    new, _ = call(op, arrays(), gradients, [np.zeros_like(g) for g in gradients], lr=0.25)
    for p, before, g in zip(new, arrays(), gradients, strict=True):
        assert_close(p - before, -0.25 * np.sign(g), "the move of p")


def test_nothing_moves_where_gradient_and_mean_are_zero(op):
    p, m = one(3, 0, 0, op, lr=0.1)
    assert_close(p, 3.0, "p")
    assert_close(m, 0.0, "m")


def test_the_defaults_are_those_of_the_paper_and_nothing_decays_unless_told(op):
    inputs = arrays(), arrays(1), arrays(2)
    assert_judged(call(op, *inputs, lr=0.1), *inputs, lr=0.1, beta1=0.9, beta2=0.99, weight_decay=0.0)


def test_twenty_steps_agree_with_the_judge(op):
    params, ms = arrays(), arrays(99)
    for step in range(20):
        inputs = params, arrays(step), ms
        params, ms = call(op, *inputs, **OPTIONS)
        assert_judged((params, ms), *inputs, **OPTIONS)


def test_inputs_are_left_untouched(op):
    inputs = [arrays(seed) for seed in range(3)]
    call(op, *inputs, **OPTIONS)
    for seed, name in enumerate(("params", "gradients", "ms")):
        for got, was in zip(inputs[seed], arrays(seed), strict=True):
            assert_close(got, was, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    for part in call(op, *(arrays(seed, np.float32)[:2] for seed in range(3)), **OPTIONS):
        assert {x.dtype for x in part} == {np.dtype(np.float32)}


@hypothesis.given(lr=st.floats(1e-5, 1), beta1=st.floats(0, 0.99), beta2=st.floats(0, 0.999), decay=st.floats(0, 1),
                  seed=st.integers(0, 99))
def test_any_step_agrees_with_the_judge(op, lr, beta1, beta2, decay, seed):
    inputs = arrays(seed), arrays(seed + 1), arrays(seed + 2)
    options = {"lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": decay}
    assert_judged(call(op, *inputs, **options), *inputs, **options)
