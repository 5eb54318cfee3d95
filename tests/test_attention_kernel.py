"""The contract of the attention kernels: what holds of attention, and what only a kernel can get wrong."""
import numpy as np
import pytest
import torch
from test_attention import assert_gradients

from minigpt.grading.compare import assert_close
from minigpt.grading.kernel_op import KernelOp, device, require_interpreter
from minigpt.reference.attention import attention_backward, attention_forward

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import attention as kernels
from kernels import attention_backward as backward
from kernels.sanitize import SanitizerError

ALSO = ["test_attention"]
HUGE = 2**30


def problem(B=1, H=2, G=1, T=40, S=40, D=16, E=None, seed=0):
    """q, k, v, and dy."""
    normal, E = np.random.default_rng(seed).normal, E or D
    return [normal(size=shape) for shape in ((B, H, T, D), (B, G, S, D), (B, G, S, E), (B, H, T, E))]


def tensors(dtype=torch.float32, **sizes):
    return [torch.tensor(x, dtype=dtype, device=device()) for x in problem(**sizes)]


def agrees(op, q, k, v, dy, **options):
    expected, cache = attention_forward(q, k, v, **options)
    y, gradients = op.run((q, k, v), dy, **options)
    assert_close(y, expected)
    assert_gradients(gradients, attention_backward(dy, cache))


def launch(op, name, programs, *, stride=0, width=16, H=1):
    """A kernel over one query and one key, with strides and widths of one's own; the last program comes first."""
    kernel = op.functions.get(name) or getattr(backward, name)
    order = next(seed for seed in range(99) if np.random.default_rng(seed).permutation(programs)[0] == programs - 1)
    given = dict.fromkeys(kernel.arg_names, stride) | {
        "H": H, "G": H, "T": 1, "S": 1, "D": width, "E": width, "CAUSAL": False, "DROPOUT": 0.0, "PRECISION": "ieee",
        "ACC": kernels.constants_of(torch.zeros(1), torch.zeros(1), False, 0.0)["ACC"], "BLOCK_T": 32, "BLOCK_S": 32,
        "BLOCK_D": 16, "BLOCK_E": 16} | {name: torch.zeros(16) for name in kernel.arg_names if name.endswith("_ptr")}
    given |= {"key_mask_ptr": None, "seed_ptr": None}
    with KernelOp(op.concept, op.name, op.functions, order=order).watched():
        kernel[(programs,)](**{name: given[name] for name in kernel.arg_names})


@pytest.mark.parametrize(("T", "S"), [(32, 33), (64, 65), (33, 32)])
def test_a_tile_that_begins_with_the_last_key_is_visited(op, T, S):
    agrees(op, *problem(T=T, S=S), causal=True)


KERNELS = ["attention_forward_kernel", *(f"attention_backward_{name}_kernel" for name in ("delta", "dkdv", "dq"))]


@pytest.mark.parametrize("name", KERNELS)
def test_rows_2_to_the_30_apart_are_addressed_in_64_bits(op, name):
    require_interpreter()
    launch(op, name, 1, stride=HUGE)                   # of 32 rows one is there: nothing else is loaded


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("sizes", [{"stride": HUGE, "H": 3}, {"stride": HUGE}, {"width": HUGE, "H": 3}], ids=str)
def test_heads_and_sequences_2_to_the_30_apart_are_addressed_in_64_bits(op, name, sizes):
    require_interpreter()
    with pytest.raises(SanitizerError) as error:
        launch(op, name, 3, **sizes)
    assert "outside every tensor" in str(error.value)  # the place is right, 2^31 away, and nothing is there


@pytest.mark.parametrize(("T", "S"), [(17, 65), (65, 17), (40, 3), (1, 40)])
def test_the_last_query_sees_the_last_key_however_many_there_are(op, T, S):
    agrees(op, *problem(T=T, S=S), causal=True)


@pytest.mark.parametrize(("T", "S"), [(17, 65), (65, 17)])
def test_without_causal_every_query_sees_every_key(op, T, S):
    agrees(op, *problem(T=T, S=S), causal=False)


@pytest.mark.parametrize("causal", [False, True])
def test_key_heads_collect_from_all_heads_of_their_group_and_from_no_other(op, causal):
    agrees(op, *problem(H=4, G=2, T=20, S=20), causal=causal)


def test_inputs_of_any_strides_give_the_same(op):
    q, k, v, dy = problem(B=2, H=2, G=1, T=17, S=17)
    expected, gradients = op.run((q, k, v), dy, causal=True)
    moved = [torch.tensor(x, dtype=torch.float32, device=device()) for x in (q, k, v, dy)]
    for there, back in (((0, 2, 1, 3), (0, 2, 1, 3)), ((3, 1, 0, 2), (2, 1, 3, 0))):
        *inputs, dy = (x.permute(there).contiguous().permute(back) for x in moved)
        inputs = [x.requires_grad_() for x in inputs]
        with op.watched():
            y = op.get("attention")(*inputs, causal=True)
            got = torch.autograd.grad(y, inputs, dy)
        assert_close(op.record(y.detach().cpu().numpy()), expected)
        assert_gradients(op.record(tuple(g.cpu().numpy() for g in got)), gradients)


def test_a_sequence_without_keys_gives_zero_and_its_neighbour_what_it_should(op):
    agrees(op, *problem(B=2, T=17, S=17), key_mask=np.array([[False], [True]]).repeat(17, axis=1))


def test_a_first_tile_of_masked_keys_leaves_the_others_alone(op):
    key_mask = np.arange(80)[None, :] >= np.array([[66], [3]])       # two tiles of 32 and a bit; less than one
    agrees(op, *problem(B=2, T=80, S=80), causal=True, key_mask=key_mask)


def test_large_scores_behind_a_mask_do_no_harm(op):
    q, k, v, dy = problem(T=40, S=40)
    k[:, :, 20:] *= 1e8
    agrees(op, q, k, v, dy, key_mask=np.arange(40)[None, :] < 20)


def test_dropout_draws_for_each_weight_and_draws_the_same_in_the_backward(op):
    q, k, v, dy = (x.requires_grad_() for x in tensors(B=2, H=2, G=1, T=24, S=24))
    identity = torch.eye(24, device=q.device).expand(2, 1, 24, 24)

    def dropped(v):
        with op.watched():
            y = op.get("attention")(q, k, v, dropout=0.25, generator=torch.Generator().manual_seed(0))
            return y, torch.autograd.grad(y, (q, k, v), dy) if v.requires_grad else None
    keep = dropped(identity)[0] != 0                   # (2,2,24,24)
    y, gradients = dropped(v)
    p = torch.softmax(q @ k.repeat_interleave(2, 1).transpose(-1, -2) / 4, -1)
    expected = torch.where(keep, p / 0.75, 0) @ v.repeat_interleave(2, 1)
    assert_close(op.record(y.detach().cpu().numpy()), expected.detach().cpu().numpy())
    assert_gradients(op.record(tuple(g.cpu().numpy() for g in gradients)),
                     [g.cpu().numpy() for g in torch.autograd.grad(expected, (q, k, v), dy)])
    draws = keep.double().flatten(2).cpu()             # 2304 of them: 5 standard deviations of the mean are 0.045
    assert 0.705 < draws.mean() < 0.795
    likeness = torch.corrcoef(torch.cat([draws.flatten(0, 1), draws.roll(1, -1).flatten(0, 1)]))
    assert (likeness - torch.eye(8)).abs().max() < 0.25        # 576 draws a head: 6 standard deviations


def test_the_log_sum_exp_is_that_of_the_scores_and_minus_infinity_without_any(op):
    q, k, v, _ = tensors(T=45, S=40)
    with op.watched():
        _, lse = torch.ops.minigpt.attention(q, k, v, None, None, True, 0.0)
    past = torch.ones(45, 40, dtype=torch.bool, device=q.device).tril(-5)
    scores = torch.where(past, q @ k.transpose(-1, -2) / 4, -torch.inf)
    assert_close(op.record(lse.cpu().numpy()), scores.logsumexp(-1).cpu().numpy(), "log-sum-exp")


def test_the_gradient_of_a_sum_is_that_of_ones(op):
    q, k, v, dy = problem(T=20, S=20)
    _, gradients = op.run((q, k, v), np.ones_like(dy))
    inputs = [torch.tensor(x, dtype=torch.float32, device=device(), requires_grad=True) for x in (q, k, v)]
    with op.watched():
        op.get("attention")(*inputs).sum().backward()            # dy has stride 0 everywhere
    assert_gradients(op.record(tuple(x.grad.cpu().numpy() for x in inputs)), gradients)


@pytest.mark.parametrize(("D", "E"), [(1, 1), (5, 33), (33, 5)])
def test_heads_of_any_width_are_whole(op, D, E):
    agrees(op, *problem(T=20, S=20, D=D, E=E), causal=True)


@pytest.mark.parametrize("T", [1, 16, 33])
def test_any_length_agrees_with_the_reference(op, T):
    agrees(op, *problem(T=T, S=T), causal=True)
