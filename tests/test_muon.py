"""The contract of orthogonalise and muon."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.grading.compare import assert_close

OPTIONS = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.3}
SHAPES = [(3, 4), (6, 3), (4, 4), (6, 3), (1, 5), (3, 4), (5, 1)]
FLOAT32 = (1e-4, 3e-5)      # steps multiply a small singular value, and its rounding of 6e-8, by up to 3.4445^5 = 485


def after(s, steps=5):
    """Where the polynomial of equation 3 takes a singular value."""
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def by_svd(g, steps=5):
    """The judge: each singular value by itself, the directions as they are."""
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    length = np.sqrt((s**2).sum(axis=-1, keepdims=True))
    return (u * after(s / np.maximum(length, 1e-7), steps)[..., None, :]) @ vt


def muon_by_svd(p, g, m, *, lr, momentum=0.95, weight_decay=0.0):
    m = momentum * m + (1 - momentum) * g
    scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
    return p - lr * weight_decay * p - lr * scale * by_svd(momentum * m + (1 - momentum) * g), m


def call(op, params, gradients, ms, **options):
    """muon on lists of arrays; tuples of arrays come back."""
    convert = {"fused": torch.tensor}.get(op.name, torch.from_numpy) if op.is_torch else np.asarray
    lists = [[convert(x) for x in each] for each in (params, gradients, ms)]
    return op.record(tuple(tuple(map(np.asarray, each)) for each in op.get("muon")(*lists, **options)))


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def matrices(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def zeros():
    return [np.zeros(shape) for shape in SHAPES]


def assert_lists(got, expected, what, tolerance=None):
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert_close(a, b, f"{what}[{i}]", tolerance)


def test_a_worked_step_of_orthogonalise(op):
    # |g| = 5, so 3/5 and 4/5 are left; the polynomial takes each to its end
    y = op.call("orthogonalise", np.array([[3.0, 0.0], [0.0, -4.0]]), steps=1)
    first = 3.4445 * 0.6 - 4.775 * 0.216 + 2.0315 * 0.07776
    second = 3.4445 * 0.8 - 4.775 * 0.512 + 2.0315 * 0.32768
    assert_close(y, np.array([[first, 0.0], [0.0, -second]]))


def test_without_steps_the_matrix_gets_length_one(op):
    assert_close(op.call("orthogonalise", np.array([[3.0, 0.0, 4.0]]), steps=0), np.array([[0.6, 0.0, 0.8]]))


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 6), (6, 1), (5, 4, 4), (2, 3, 5, 2), (1, 1), (0, 3, 4)])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_it_does_to_each_singular_value_what_the_polynomial_does(op, shape, steps):
    g = 7 * values(*shape)
    assert_close(op.call("orthogonalise", g, steps=steps), by_svd(g, steps), tolerance=(1e-9, 1e-9))


@pytest.mark.parametrize("smallest", [1.0, 0.1, 0.01, 0.0035])
def test_singular_values_end_between_0_68_and_1_21(op, smallest):
    u, v = (np.linalg.qr(values(40, 40, seed=seed))[0] for seed in (0, 1))
    s = np.geomspace(1, smallest, 40)
    assert smallest > 0.0016 * np.sqrt((s**2).sum())
    ends = np.linalg.svd(op.call("orthogonalise", (u * s) @ v.T), compute_uv=False)
    assert ends.min() > 0.68, f"the smallest singular value ends at {ends.min():.3f}"
    assert ends.max() < 1.21, f"the largest singular value ends at {ends.max():.3f}"


def test_that_holds_on_the_whole_line_and_barely():
    s = np.linspace(0.0016, 1, 1_000_001)
    ends = after(s)
    assert 0.68 < ends.min() < 0.69
    assert 1.20 < ends.max() < 1.21


def test_a_tiny_singular_value_is_multiplied_by_the_fifth_power_of_the_slope(op):
    y = op.call("orthogonalise", np.diag([1.0, 1e-6]))
    assert_close(y[1, 1], 3.4445**5 * 1e-6, tolerance=(1e-5, 0))


@pytest.mark.parametrize("factor", [1e-3, 0.1, 1e5, -1.0])
def test_a_positive_factor_changes_nothing_and_a_negative_one_the_sign(op, factor):
    g = values(3, 5)
    assert_close(op.call("orthogonalise", factor * g), np.sign(factor) * op.call("orthogonalise", g))


def test_the_transpose_gives_the_transpose(op):
    g = values(2, 4, 6)
    assert_close(op.call("orthogonalise", g.swapaxes(1, 2)), op.call("orthogonalise", g).swapaxes(1, 2))


def test_turning_the_matrix_turns_the_answer(op):
    g, turn = values(4, 6), np.linalg.qr(values(4, 4, seed=1))[0]
    assert_close(op.call("orthogonalise", turn @ g), turn @ op.call("orthogonalise", g))


def test_each_matrix_of_a_batch_goes_by_itself(op):
    g = values(4, 3, 5) * np.array([1.0, 100.0, 0.01, 3.0])[:, None, None]
    alone = [op.call("orthogonalise", matrix) for matrix in g]
    assert_close(op.call("orthogonalise", g), np.stack(alone))


def test_a_matrix_of_zeros_stays_zero(op):
    g = values(2, 3, 4)
    g[0] = 0
    y = op.call("orthogonalise", g)
    assert_close(y[0], np.zeros((3, 4)))
    assert_close(y[1], by_svd(g[1]))


def test_a_matrix_shorter_than_1e_7_is_taken_to_be_that_long(op):
    assert_close(op.call("orthogonalise", np.array([[3e-9, 4e-9]]), steps=0), np.array([[0.03, 0.04]]))


def test_a_strided_matrix_gives_the_same(op):
    g = values(12, 5)[::3].T
    assert_close(op.call("orthogonalise", g), by_svd(g))


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12)])
def test_orthogonalise_keeps_float32_and_leaves_its_input_untouched(op, shape):
    g = values(*shape).astype(np.float32)
    before = g.copy()
    y = op.call("orthogonalise", g)
    assert y.dtype == np.float32
    assert_close(y, by_svd(before.astype(np.float64)), tolerance=FLOAT32)
    assert_close(g, before, "g, afterwards,")


@hypothesis.given(batch=st.lists(st.integers(1, 3), max_size=2), rows=st.integers(1, 9), columns=st.integers(1, 9),
                  seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_judge(op, batch, rows, columns, seed):
    g = values(*batch, rows, columns, seed=seed)
    assert_close(op.call("orthogonalise", g), by_svd(g), tolerance=(1e-9, 1e-9))


def test_a_worked_first_step(op):
    # m = 1/4 * 2 and u = 3/4 m + 1/4 * 2 > 0; whatever their size, a single positive number ends where 1 ends
    (p,), (m,) = call(op, [np.array([[5.0]])], [np.array([[2.0]])], [np.zeros((1, 1))], lr=0.5, momentum=0.75)
    assert_close(m, np.array([[0.5]]), "m")
    assert_close(p, np.array([[5.0 - 0.5 * after(1.0)]]), "p")


def test_momentum_is_looked_ahead(op):
    # m = 1/2 * 1 - 1/2 * 0.6 = 0.2, but u = 1/2 * 0.2 - 1/2 * 0.6 = -0.2: p goes up
    (p,), (m,) = call(op, [np.zeros((1, 1))], [np.array([[-0.6]])], [np.ones((1, 1))], lr=1.0, momentum=0.5)
    assert_close(m, np.array([[0.2]]), "m")
    assert_close(p, np.array([[after(1.0)]]), "p")


def test_a_worked_decay(op):
    zero = [np.zeros((4, 2))]
    (p,), _ = call(op, [np.full((4, 2), 2.0)], zero, zero, lr=0.1, weight_decay=0.5)
    assert_close(p, np.full((4, 2), 1.9), "p")             # tall or not, the decay is not scaled


@pytest.mark.parametrize(("shape", "scale"), [((8, 2), 2.0), ((2, 8), 1.0), ((3, 3), 1.0), ((9, 1), 3.0)])
def test_the_update_of_a_tall_matrix_is_scaled_up_and_of_a_wide_one_not(op, shape, scale):
    g, zero = [values(*shape)], [np.zeros(shape)]
    (p,), _ = call(op, zero, g, zero, lr=1.0)
    assert_close(p, -scale * by_svd(g[0]), "p")


def test_twenty_steps_agree_with_the_judge(op):
    params, ms = matrices(), zeros()
    right, right_ms = matrices(), zeros()
    for step in range(1, 21):
        gradients = matrices(seed=step)
        params, ms = map(list, call(op, params, gradients, ms, **OPTIONS))
        pairs = [muon_by_svd(*each, **OPTIONS) for each in zip(right, gradients, right_ms, strict=True)]
        right, right_ms = map(list, zip(*pairs, strict=True))
    assert_lists(ms, right_ms, "m after 20 steps")
    assert_lists(params, right, "p after 20 steps", tolerance=(1e-9, 1e-9))


def test_it_agrees_with_pytorch_as_far_as_bfloat16_goes(op):
    params, ms = matrices(), zeros()
    judged = [torch.tensor(p, requires_grad=True) for p in params]
    judge = torch.optim.Muon(judged, lr=0.1, momentum=0.8, weight_decay=0.3)
    for step in range(1, 4):
        gradients = matrices(seed=step)
        params, ms = map(list, call(op, params, gradients, ms, **OPTIONS))
        for p, g in zip(judged, gradients, strict=True):
            p.grad = torch.tensor(g)
        judge.step()
    expected = [p.detach().numpy() for p in judged]
    assert_lists(params, expected, "p after 3 steps", tolerance=(0, 0.02))   # three steps of 0.1, right to some percent


def test_matrices_of_one_shape_together_move_as_each_alone(op):
    params, gradients, ms = matrices(), matrices(1), matrices(2)
    got = call(op, params, gradients, ms, **OPTIONS)
    alone = [call(op, [p], [g], [m], **OPTIONS) for p, g, m in zip(params, gradients, ms, strict=True)]
    for part, (what, together) in enumerate(zip(("p", "m"), got, strict=True)):
        assert_lists(together, [each[part][0] for each in alone], what)


def test_the_momentum_is_0_95_and_nothing_decays_unless_told(op):
    inputs = matrices(), matrices(1), matrices(2)
    got = call(op, *inputs, lr=0.1)
    for part, expected in zip(got, call(op, *inputs, lr=0.1, momentum=0.95, weight_decay=0.0), strict=True):
        assert_lists(part, expected, "result")


def test_muon_leaves_its_inputs_untouched(op):
    inputs = [matrices(seed) for seed in range(3)]
    before = [[x.copy() for x in each] for each in inputs]
    lists = [list(each) for each in inputs]
    call(op, *lists, **OPTIONS)
    for name, each, was in zip(("params", "gradients", "ms"), lists, before, strict=True):
        assert_lists(each, was, f"{name}, afterwards,")


def test_muon_keeps_float32(op):
    inputs = [matrices(seed, dtype=np.float32) for seed in range(3)]
    for part, expected in zip(call(op, *inputs, **OPTIONS),
                              call(op, *([x.astype(np.float64) for x in each] for each in inputs), **OPTIONS),
                              strict=True):
        assert {x.dtype for x in part} == {np.dtype(np.float32)}
        assert_lists(part, expected, "result", FLOAT32)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_lists_of_different_lengths_are_refused(op, missing):
    lists = [matrices(), matrices(1), matrices(2)]
    del lists[missing][-1]
    try:
        call(op, *lists, lr=0.1)
    except ValueError:
        return
    raise AssertionError("a matrix is missing in one of the lists: expected a ValueError")


def test_no_matrices_move_nowhere(op):
    assert call(op, [], [], [], lr=0.1) == ((), ())
