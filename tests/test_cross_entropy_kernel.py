"""The contract of the cross-entropy kernels: what holds of cross_entropy, and what only a kernel can get wrong."""
import numpy as np
import pytest
import torch
from low_precision import LOW, assert_as_exact_as_pytorch

from minigpt import cross_entropy as spelled_out
from minigpt.grading.compare import assert_close
from minigpt.grading.kernel_op import KernelOp, require_interpreter
from minigpt.grading.op import Op
from minigpt.reference import cross_entropy as reference

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import cross_entropy as kernels
from kernels.sanitize import sanitized

ALSO = ["test_cross_entropy"]
SIZES = [1, 15, 16, 17, 63, 65, 127, 129]
REFERENCE = Op("cross_entropy", "reference", vars(reference))
ONE = np.array(1.0)
LONG = 2 * kernels.TILE + 17                           # logits in three tiles, the last of them nearly empty


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def some_targets(N, V):
    """Targets of which every fourth is -100."""
    targets = torch.randint(V, (N,), generator=torch.Generator().manual_seed(N + V))
    targets[2::4] = -100
    return targets


def assert_agrees(op, logits, targets, tolerance=None, **options):
    """Loss and gradient of an implementation, against the reference's in float64."""
    got = op.run((logits, targets), np.array(0.7), **options)
    expected = REFERENCE.run((logits.astype(np.float64), targets), np.array(0.7), **options)
    assert_close(got[0], expected[0], "loss", tolerance)
    assert_close(got[1][0], expected[1][0], "dlogits", tolerance)


@pytest.mark.parametrize(("name", "arrays"), [("cross_entropy_forward_kernel", 2),
                                              ("cross_entropy_backward_kernel", 3)])
def test_rows_2_to_the_30_apart_are_addressed_in_64_bits(op, name, arrays):
    require_interpreter()
    others = [torch.zeros(16) for _ in range(arrays)]
    with op.watched():                                 # of four rows one is there: nothing else is loaded
        op.get(name)[(1,)](torch.zeros(16), torch.zeros(4, dtype=torch.int64), *others, 1, 16, -100, 2**30,
                           ROWS=4, BLOCK_V=16)


@pytest.mark.parametrize("V", SIZES)
def test_a_vocabulary_that_ends_within_a_tile_has_no_other_tokens(op, V):
    logits = normal(3, V, dtype=torch.float64).numpy() - 50          # next to exp(-50), exp(0) would be everything
    assert_agrees(op, logits, some_targets(3, V).numpy())


@pytest.mark.parametrize("N", SIZES)
def test_any_number_of_rows_is_done(op, N):
    assert_agrees(op, normal(N, 5, dtype=torch.float64).numpy(), some_targets(N, 5).numpy())


@pytest.mark.parametrize("begin", [0, 50])
def test_a_vocabulary_longer_than_a_tile_is_one_vocabulary(op, begin):
    logits = normal(3, LONG, dtype=torch.float64).numpy()
    logits[:, :kernels.TILE] += begin                                # the largest score is in the first tile, or later
    assert_agrees(op, logits, np.array([5, kernels.TILE + 5, LONG - 1]))


@pytest.mark.parametrize("impossible", [slice(0, kernels.TILE), slice(kernels.TILE, LONG), slice(9, 2 * kernels.TILE)])
def test_whole_tiles_of_minus_infinity_change_nothing(op, impossible):
    logits = normal(2, LONG, dtype=torch.float64).numpy()
    logits[0, impossible] = -np.inf
    target = next(v for v in (2, LONG - 2) if np.isfinite(logits[0, v]))
    assert_agrees(op, logits, np.array([target, target]))


@pytest.mark.parametrize("ignore_index", [0, 3, -1, -100])
def test_what_is_not_counted_may_be_any_number(op, ignore_index):
    targets = np.array([1, ignore_index, 2, ignore_index, 4])        # five rows: a tile of eight has three of padding
    assert_agrees(op, normal(5, 7, dtype=torch.float64).numpy(), targets, ignore_index=ignore_index)


def test_what_is_not_counted_is_not_looked_at(op):
    logits, targets = normal(6, 5, dtype=torch.float64).numpy(), np.array([1, -100, 0, 4, -100, 2])
    expected, kept = REFERENCE.run((logits.copy(), targets), ONE), targets != -100
    logits[~kept] = np.nan
    loss, (dlogits,) = op.run((logits, targets), ONE)
    assert_close(loss, expected[0], "loss")
    assert_close(dlogits, expected[1][0], "dlogits")


def run(op, logits, targets):
    """Loss and gradient for tensors as they lie in memory."""
    with op.watched():
        loss = op.get("cross_entropy")(logits.requires_grad_(), targets)
        return op.record((loss.detach().numpy(), torch.autograd.grad(loss, logits)[0].numpy()))


def test_rows_of_a_wider_matrix_are_found(op):
    wide, targets = normal(6, 64), some_targets(6, 21)
    part = wide[:, 10:31]
    assert part.stride() == (64, 1)
    for got, expected in zip(run(op, part, targets), run(op, part.detach().contiguous(), targets), strict=True):
        assert_close(got, expected, "loss and dlogits, as if contiguous,")


def test_a_second_backward_finds_all_that_it_needs(op):
    logits, targets = normal(3, 9).requires_grad_(), torch.tensor([1, -100, 8])
    before = logits.detach().clone()
    with op.watched():
        loss = op.get("cross_entropy")(logits, targets)
        first, second = (op.record(torch.autograd.grad(loss, logits, retain_graph=True)[0].numpy()) for _ in range(2))
    assert_close(second, first, "dlogits, the second time,")
    assert_close(logits.detach().numpy(), before.numpy(), "logits, afterwards,")


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("V", [9, 3000])
def test_low_precision_is_as_exact_as_pytorch(op, dtype, V):
    with op.watched():
        assert_as_exact_as_pytorch(op.get("cross_entropy"), spelled_out.cross_entropy,
                                   (3 * normal(7, V), some_targets(7, V)), torch.tensor(0.7), dtype)


# Our own kernels

def test_two_runs_and_two_orders_of_programs_agree_to_the_bit():
    inputs = normal(70, 90).numpy(), some_targets(70, 90).numpy()
    first, *others = (KernelOp("cross_entropy", "triton", vars(kernels), order=order).run(inputs, ONE)
                      for order in (None, None, 1, 2))
    for loss, (dlogits,) in others:
        np.testing.assert_array_equal(loss, first[0])
        np.testing.assert_array_equal(dlogits, first[1][0])


@pytest.mark.parametrize("V", [1, 20])
def test_the_gradient_equals_finite_differences_in_float64(V):
    logits, targets = normal(4, V, dtype=torch.float64).requires_grad_(), some_targets(4, V)
    assert torch.autograd.gradcheck(lambda z: kernels.cross_entropy(z, targets), (logits,))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 17), (0, 4)])
def test_pytorch_accepts_the_registration(shape):
    targets = torch.zeros(shape[:-1], dtype=torch.int64)
    torch.library.opcheck(torch.ops.minigpt.cross_entropy.default, (normal(*shape).requires_grad_(), targets, -100))


def test_the_kernels_compile_into_a_whole_graph():
    logits, targets = normal(3, 20).requires_grad_(), some_targets(3, 20)
    compiled = torch.compile(lambda z: 2 * kernels.cross_entropy(z, targets), backend="aot_eager", fullgraph=True)
    for got, expected in zip(*([loss, torch.autograd.grad(loss, logits)[0]] for loss in
                               (compiled(logits), 2 * spelled_out.cross_entropy(logits, targets))), strict=True):
        torch.testing.assert_close(got, expected)


# Traffic

@pytest.mark.parametrize(("N", "V"), [(1, 1), (33, 50), (4, LONG)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_bytes_that_move_are_those_of_the_closed_form(N, V, dtype):
    logits, targets = normal(N, V, dtype=dtype).requires_grad_(), some_targets(N, V)
    counted, acc = int((targets != -100).sum()), 8 if dtype == torch.float64 else 4
    with sanitized() as forward:
        loss = kernels.cross_entropy(logits, targets)
    with sanitized() as backward:
        loss.backward()
    programs = -(-N // kernels.configuration(N, V)[0]["ROWS"])
    for meter, work in ((forward, kernels.work_of_forward(N, V, counted, dtype.itemsize, acc)),
                        (backward, kernels.work_of_backward(N, V, counted, dtype.itemsize, programs, acc))):
        assert (meter.load_bytes, meter.store_bytes, meter.flops) == (work.loads, work.stores, work.issued)


def test_the_logits_are_read_once():
    N, V = 16, 4096
    assert kernels.work_of_forward(N, V, N, 4).loads - N * V * 4 == N * (4 + 8)      # the target's score, the target


def test_every_form_that_is_launched_is_shipped():
    shipped = {(form.kernel.__name__, form.warps, *form.constants.values()) for form in kernels.shipped()}
    for V in (96, 50257, 50304):
        constants, warps, _ = kernels.configuration(8192, V)
        for name in ("cross_entropy_forward_kernel", "cross_entropy_backward_kernel"):
            assert (name, warps, *constants.values()) in shipped


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, *LOW])
@pytest.mark.parametrize("V", [96, 50257])
def test_on_a_gpu_it_is_as_exact_as_pytorch(dtype, V):
    with torch.device("cuda"):
        assert_as_exact_as_pytorch(kernels.cross_entropy, spelled_out.cross_entropy, (
            3 * torch.randn(500, V), torch.arange(500) % V), torch.tensor(0.7), dtype)
