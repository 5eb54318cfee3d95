"""The contract of muon; that of orthogonalise is in test_orthogonalise.py."""
import numpy as np
import pytest
import torch
from test_orthogonalise import FLOAT32, after, by_svd, values

from minigpt.grading.compare import assert_close, refused, untouched

ALSO = ["test_orthogonalise"]
OPTIONS = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.3}
SHAPES = [(3, 4), (6, 3), (4, 4), (6, 3), (1, 5), (3, 4), (5, 1)]


def muon_by_svd(p, g, m, *, lr, momentum=0.95, weight_decay=0.0):
    m = momentum * m + (1 - momentum) * g
    scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
    return p - lr * weight_decay * p - lr * scale * by_svd(momentum * m + (1 - momentum) * g), m


def call(op, params, gradients, ms, **options):
    """muon on lists of arrays; tuples of arrays come back."""
    convert = {"fused": torch.tensor}.get(op.name, torch.from_numpy) if op.is_torch else np.asarray
    lists = [[convert(x) for x in each] for each in (params, gradients, ms)]
    return op.record(tuple(tuple(map(np.asarray, each)) for each in op.get("muon")(*lists, **options)))


def matrices(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def zeros():
    return [np.zeros(shape) for shape in SHAPES]


def assert_lists(got, expected, what, tolerance=None):
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert_close(a, b, f"{what}[{i}]", tolerance)


def test_a_worked_first_step_of_a_single_number(op):
    # m = 1/4 * 2 and u = 3/4 m + 1/4 * 2 > 0; whatever their size, a single positive number ends where 1 ends
    (p,), (m,) = call(op, [np.array([[5.0]])], [np.array([[2.0]])], [np.zeros((1, 1))], lr=0.5, momentum=0.75)
    assert_close(m, np.array([[0.5]]), "m")
    assert_close(p, np.array([[5.0 - 0.5 * after(1.0)]]), "p")


def test_momentum_is_looked_ahead(op):
    # m = 1/2 * 1 - 1/2 * 0.6 = 0.2, but u = 1/2 * 0.2 - 1/2 * 0.6 = -0.2: p goes up
    (p,), (m,) = call(op, [np.zeros((1, 1))], [np.array([[-0.6]])], [np.ones((1, 1))], lr=1.0, momentum=0.5)
    assert_close(m, np.array([[0.2]]), "m")
    assert_close(p, np.array([[after(1.0)]]), "p")


def test_steps_and_polynomials_reach_orthogonalise(op):
    # one step with a = 2 and b = c = 0: twice a matrix of length 1, here (0.6, 0.8)
    (p,), _ = call(op, [np.zeros((1, 2))], [np.array([[3.0, 4.0]])], [np.zeros((1, 2))], lr=0.5, steps=1,
                   polynomials=((2.0, 0.0, 0.0),))
    assert_close(p, np.array([[-0.6, -0.8]]), "p")


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
    lists = [matrices(seed) for seed in range(3)]
    with untouched(**{f"{name}[{i}]": x for name, each in zip(("params", "gradients", "ms"), lists, strict=True)
                      for i, x in enumerate(each)}):
        call(op, *lists, **OPTIONS)


def test_muon_keeps_float32(op):
    inputs = [matrices(seed, dtype=np.float32) for seed in range(3)]
    for part, expected in zip(call(op, *inputs, **OPTIONS),
                              call(op, *([x.astype(np.float64) for x in each] for each in inputs), **OPTIONS),
                              strict=True):
        assert {x.dtype for x in part} == {np.dtype(np.float32)}
        assert_lists(part, expected, "result", FLOAT32)


@pytest.mark.parametrize("missing", [(0,), (1,), (2,), (0, 1)], ids=str)
def test_lists_of_different_lengths_are_refused(op, missing):
    lists = [matrices(), matrices(1), matrices(2)]
    for k in missing:
        del lists[k][-1]
    with refused("a matrix is missing in one of the lists"):
        call(op, *lists, lr=0.1)


def test_no_matrices_move_nowhere(op):
    assert call(op, [], [], [], lr=0.1) == ((), ())
