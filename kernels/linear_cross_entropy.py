"""Linear and cross-entropy in one: the loss of logits = x W^T that are never there all at once.

Plan: rows of x are taken ROWS at a time. Their logits go into a buffer of (ROWS, V) by kernels/matmul.py; the loss, and
then in the place of the logits their gradient dz, by kernels/cross_entropy.py; dx = dz W is those rows' own, and
dW += dz^T x adds up, in order. So gradients are there when the forward ends, and only if they will be asked for; they
lack the factor dy / N, which the backward puts on.
Grid: of the kernel here, (ceil(n / BLOCK),) for a gradient of n numbers; the others' in their files.
On chip: here one tile; there as their files say.
Memory beyond x, W, dx and dW: ROWS V + N C elements and V C of float32, where spelled out it is more than 2 N V. With
ROWS about C, the buffer has the size of W, and dW, read and written for each chunk, moves about as much as the logits.
"""
# isort: off
import torch

from kernels import _backend
import triton
import triton.language as tl

from kernels.cross_entropy import counted_targets, rows_backward, rows_forward
from kernels.matmul import multiply
# isort: on

BLOCK = 4096            # elements of a tile


@triton.jit
def linear_cross_entropy_backward_kernel(
    gradient_ptr,       # (n,) gradient for dy = N: what the forward kept
    share_ptr,          # () dy / N
    out_ptr,            # (n,) gradient for dy; this program owns BLOCK of them
    n,
    BLOCK: tl.constexpr,
):
    """(6) dx = dy / N (sum over rows of dz W), and dW alike."""
    ACC: tl.constexpr = share_ptr.dtype.element_ty
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    gradient = tl.load(gradient_ptr + place, mask=place < n, other=0.0).to(ACC)
    scaled = tl.load(share_ptr) * gradient                            # (BLOCK,)  (6)
    tl.store(out_ptr + place, scaled.to(out_ptr.dtype.element_ty), mask=place < n)


def configuration(n):
    """The constants of a launch, then its warps and stages."""
    return {"BLOCK": min(BLOCK, triton.next_power_of_2(n))}, 4, 1


def rows_at_once(N, C):
    """How many rows of logits the buffer holds: about C, in whole tiles of a matrix product, and not more than N."""
    return max(1, min(N, 128 * triton.cdiv(C, 128)))


def loss_and_gradients(x, weight, targets, ignore_index, with_dx, with_dweight):
    """(loss (N,), dx (N, C), dweight (V, C), count): losses of the rows, gradients of their sum, how many count.

    A gradient that is not wanted is empty. dweight is float32 (float64 for float64), as are the losses.

    For each chunk of rows: (1) z = x W^T   (2) loss_n = lse_n - z_n,target_n   (3) dz_nv = exp(z_nv - lse_n) - 1[v = t]
    (4) dx = dz W   (5) dW += dz^T x
    """
    (N, C), V = x.shape, len(weight)
    count = counted_targets(targets, V, ignore_index)
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    loss, one, rows = x.new_empty(N, dtype=acc), x.new_ones((), dtype=acc), rows_at_once(N, C)
    dx, dweight = x.new_empty((N, C) if with_dx else 0), x.new_empty((V, C) if with_dweight else 0, dtype=acc)
    buffer = x.new_empty(rows, V)
    for start in range(0, max(N, 1), rows):                           # without rows, dW is still to be made 0
        part = slice(start, start + rows)
        z = buffer[:len(x[part])]                                     # (ROWS, V)
        multiply(x[part], weight.T, z)                                # (1)
        loss[part], lse = rows_forward(z, targets[part], ignore_index)        # (2)
        if with_dx or with_dweight:
            rows_backward(z, targets[part], lse, one, z, ignore_index)        # (3)  z is dz from here on
        if with_dx:
            multiply(z, weight, dx[part])                             # (4)
        if with_dweight:
            multiply(z.T, x[part], dweight, accumulate=start > 0)     # (5)
    return loss, dx, dweight, count


@torch.library.custom_op("minigpt::linear_cross_entropy", mutates_args=())
def _linear_cross_entropy(
        x: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, ignore_index: int, with_dx: bool,
        with_dweight: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rows, targets = x.reshape(-1, x.shape[-1]), targets.reshape(-1).long().contiguous()
    loss, dx, dweight, count = loss_and_gradients(rows, weight, targets, ignore_index, with_dx, with_dweight)
    share = 1 / count.clamp(min=1).to(loss.dtype)
    return (loss.sum() * share).to(x.dtype), dx.view(x.shape) if with_dx else dx, dweight, share


@torch.library.custom_op("minigpt::linear_cross_entropy_backward", mutates_args=())
def _scaled(gradient: torch.Tensor, share: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    out, n = torch.empty_like(gradient, dtype=dtype), gradient.numel()
    if n:
        constants, warps, stages = configuration(n)
        linear_cross_entropy_backward_kernel[(triton.cdiv(n, constants["BLOCK"]),)](
            gradient, share, out, n, **constants, num_warps=warps, num_stages=stages)
    return out


@_linear_cross_entropy.register_fake
def _(x, weight, targets, ignore_index, with_dx, with_dweight):
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    return (x.new_empty(()), x.new_empty(x.shape if with_dx else 0),
            x.new_empty(weight.shape if with_dweight else 0, dtype=acc), x.new_empty((), dtype=acc))


_scaled.register_fake(lambda gradient, share, dtype: torch.empty_like(gradient, dtype=dtype))


def _keep(ctx, inputs, output):
    _, dx, dweight, share = output
    ctx.save_for_backward(dx, dweight, share)
    ctx.dtypes = inputs[0].dtype, inputs[1].dtype
    ctx.set_materialize_grads(False)                   # only the loss has a dy


def _gradients(ctx, dy, *_):
    if dy is None:
        return (None,) * 6
    dx, dweight, share = ctx.saved_tensors
    share = share * dy.to(share.dtype)
    return (_scaled(dx, share, ctx.dtypes[0]) if ctx.needs_input_grad[0] else None,
            _scaled(dweight, share, ctx.dtypes[1]) if ctx.needs_input_grad[1] else None, None, None, None, None)


_linear_cross_entropy.register_autograd(_gradients, setup_context=_keep)


def linear_cross_entropy(x, weight, targets, ignore_index=-100):
    """Mean of -log p(target) over the counted targets, where p = softmax(x W^T).

    x: (..., C); weight: (V, C), both of one floating dtype, sums in float32 (float64 for float64). targets: (...)
    integers from 0 to V - 1, or ignore_index. Returns loss: a number, nats per counted token, 0 if none counts.
    Raises IndexError for any other target.
    """
    learns = torch.is_grad_enabled()
    return _linear_cross_entropy(x, weight, targets, ignore_index, learns and x.requires_grad,
                                 learns and weight.requires_grad)[0]


linear_cross_entropy.contains = frozenset({"linear", "cross_entropy", "causal_lm", "masked_lm", "bert_loss"})


def work_of_backward(n, kept, out, programs, acc=4):
    """What linear_cross_entropy_backward_kernel moves; kept, out: itemsizes. Each program reads the share once."""
    return _backend.Work(f"{n} numbers", n * kept + programs * acc, n * out, 0, 0)


def shipped():
    """The compiled forms of the kernel here: of dx, and of dW, which is kept in float32."""
    found, n = [], 8192 * 768
    for kept, out in (("fp16", "fp16"), ("bf16", "bf16"), ("fp32", "fp32"), ("fp32", "fp16"), ("fp32", "bf16")):
        constants, warps, stages = configuration(n)
        sizes = (int(name[2:]) // 8 for name in (kept, out))
        found.append(_backend.Shipped(
            linear_cross_entropy_backward_kernel, f"{kept} to {out}",
            {"gradient_ptr": f"*{kept}", "share_ptr": "*fp32", "out_ptr": f"*{out}"}, constants, warps, stages, ("n",),
            {"matrix": False, "copies": False, "vectors": True, "blocks": {80: 8, 90: 8}},
            work_of_backward(n, *sizes, n // BLOCK)))
    return found
