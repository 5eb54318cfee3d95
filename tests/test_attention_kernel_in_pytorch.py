"""The attention kernels as an operator of PyTorch: dtypes, registration, gradients; and the forms that it launches."""
import pytest
import torch
from test_attention_kernel import tensors

from minigpt.attention import attention as spelled_out
from minigpt.grading.compare import refused
from minigpt.grading.kernel_op import require_interpreter

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import attention as kernels
from kernels import attention_backward as backward
from kernels.sanitize import sanitized


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes_are_kept(dtype):
    inputs = [x.requires_grad_() for x in tensors(dtype, T=5, S=5)[:3]]
    y = kernels.attention(*inputs)
    assert [x.dtype for x in (y, *torch.autograd.grad(y.sum(), inputs))] == [dtype] * 4


def test_the_gradient_equals_finite_differences_in_float64():
    q, k, v, _ = (x.requires_grad_() for x in tensors(torch.float64, T=3, S=5, D=2))
    assert torch.autograd.gradcheck(lambda *x: kernels.attention(*x, causal=True), (q, k, v), fast_mode=True)


@pytest.mark.slow
def test_each_gradient_equals_finite_differences_in_float64_across_tiles_and_masks():
    q, k, v, _ = (x.requires_grad_() for x in tensors(torch.float64, H=2, G=1, T=3, S=18, D=1))
    options = {"causal": True, "key_mask": torch.arange(18)[None, :] % 3 > 0}
    assert torch.autograd.gradcheck(lambda *x: kernels.attention(*x, **options), (q, k, v))


def test_float64_is_computed_in_float64():
    q, k, v, dy = (x.requires_grad_() for x in tensors(torch.float64, T=35, S=50))
    results = []
    for function in (kernels.attention, spelled_out):
        y = function(q, k, v, causal=True)
        results.append((y, *torch.autograd.grad(y, (q, k, v), dy)))
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_pytorch_accepts_the_registration(rate):
    q, k, v, dy = (x.requires_grad_() for x in tensors(T=3, S=4, D=2))
    key_mask, seed = torch.ones(1, 4, dtype=torch.bool), torch.tensor([7]) if rate else None
    torch.library.opcheck(torch.ops.minigpt.attention.default, (q, k, v, key_mask, seed, True, rate))
    y, lse = torch.ops.minigpt.attention(q, k, v, key_mask, seed, True, rate)
    saved = [x.detach() for x in (dy, q, k, v, y, lse)]
    torch.library.opcheck(torch.ops.minigpt.attention_backward.default, (*saved, key_mask, seed, True, rate))


def test_the_kernels_compile_into_a_whole_graph():
    compiled = torch.compile(lambda *x: 2 * kernels.attention(*x, causal=True), backend="aot_eager", fullgraph=True)
    q, k, v, dy = (x.requires_grad_() for x in tensors(T=5, S=5))
    for got, expected in zip((compiled(q, k, v), *torch.autograd.grad(compiled(q, k, v), (q, k, v), dy)),
                             (2 * spelled_out(q, k, v, causal=True),
                              *torch.autograd.grad(2 * spelled_out(q, k, v, causal=True), (q, k, v), dy)), strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("sizes", [{"B": 0}, {"T": 0}, {"S": 0}], ids=str)
def test_without_sequences_queries_or_keys_all_that_is_left_is_zero(sizes):
    q, k, v, dy = (x.requires_grad_() for x in tensors(**{"T": 3, "S": 3} | sizes))
    with sanitized():                                  # outputs begin as NaN
        y = kernels.attention(q, k, v)
        gradients = torch.autograd.grad(y, (q, k, v), dy)
    for got, like in zip((y, *gradients), (dy, q, k, v), strict=True):
        assert torch.equal(got, torch.zeros_like(like))


def test_heads_that_do_not_fit_on_chip_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"width 129 does not fit.*--implementation fused"):
        kernels.attention(*tensors(T=2, S=2, D=129)[:3])


def test_a_rate_of_dropout_out_of_range_is_refused():
    with refused("dropout 1"):
        kernels.attention(*tensors(T=2, S=2)[:3], dropout=1.0)


# What is compiled without a GPU is what launches use

FORMS = [form for module in (kernels, backward) for form in module.shipped()]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.kernel.__name__}-{form.name}")
def test_a_form_that_is_shipped_is_launched(form):
    require_interpreter()
    given, dtype = form.constants, {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
    D, rate = given.get("D", given["E"]), given.get("DROPOUT", 0.0)
    q, k, v, _ = (x.requires_grad_() for x in tensors(dtype[form.types.get("q_ptr", "*fp16")[1:]], T=2, S=2, D=D))
    key_mask = torch.ones(1, 2, dtype=torch.bool) if "key_mask_ptr" in form.types else None
    with sanitized() as meter:
        kernels.attention(q, k, v, causal=given.get("CAUSAL", True), key_mask=key_mask, dropout=rate).sum().backward()
    launched = next(launch for launch in meter.launches if launch.kernel == form.kernel.__name__)
    assert launched.constants == {name: value for name, value in given.items() if not name.endswith("_ptr")}
