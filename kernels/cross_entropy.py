"""Cross-entropy as two kernels that read the logits once each; no probability is ever stored.

Plan: a program takes ROWS rows and walks over their V logits in tiles of BLOCK_V, the tail padded with -inf. Forward,
it carries from tile to tile the largest score m and the sum l of exp(z - m). Backward, the log-sum-exp that the
forward kept gives each probability at once: exp(z - lse).
Grid: (ceil(N / ROWS),) for N rows.
On chip: one tile, and m, l and the target's score of each row.
Bytes moved: forward N V elements (logits in), backward 2 N V (logits in, gradient out), and a few numbers a row; of a
row that does not count no logit is read.
"""
# isort: off
import torch

from kernels import _backend  # before triton is imported
import triton
import triton.language as tl
# isort: on

TILE = 4096             # elements of a tile: enough work for a program, few enough for its registers


@triton.jit
def cross_entropy_forward_kernel(
    z_ptr,              # (N, V) logits, row stride stride_n; this program owns ROWS rows
    targets_ptr,        # (N,) int64
    loss_ptr,           # (N,) -log p(target) of each row, 0 where it does not count
    lse_ptr,            # (N,) log sum_v exp(z_v), which the backward needs; 0 where the row does not count
    N, V, ignore_index, stride_n,
    ROWS: tl.constexpr, BLOCK_V: tl.constexpr,
):
    """(1) m' = max(m, max_v z_v)   (2) l' = l exp(m - m') + sum_v exp(z_v - m')   from m = -inf, l = 0, tile by tile

    (3) lse = m + log l   (4) loss = lse - z_target
    """
    ACC: tl.constexpr = lse_ptr.dtype.element_ty
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    target = tl.load(targets_ptr + row, mask=row < N, other=0)
    counted = (row < N) & (target != ignore_index)
    z_target = tl.load(z_ptr + row * stride_n + target, mask=counted, other=0.0).to(ACC)
    m = tl.full((ROWS,), -float("inf"), ACC)
    l = tl.zeros((ROWS,), ACC)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)
        inside = counted[:, None] & (column[None, :] < V)
        z = tl.load(z_ptr + row[:, None] * stride_n + column[None, :], mask=inside, other=-float("inf")).to(ACC)
        m_new = tl.maximum(m, tl.max(z, axis=1))                      # (ROWS,)  (1)
        shift = tl.where(m_new == -float("inf"), 0.0, m_new)          # only -inf so far: nothing to shift
        l = l * tl.exp(m - shift) + tl.sum(tl.exp(z - shift[:, None]), axis=1)                    # (ROWS,)  (2)
        m = m_new
    lse = m + tl.log(tl.where(counted, l, 1.0))                       # (ROWS,)  (3)
    tl.store(lse_ptr + row, tl.where(counted, lse, 0.0), mask=row < N)
    tl.store(loss_ptr + row, tl.where(counted, lse - z_target, 0.0), mask=row < N)                # (4)


@triton.jit
def cross_entropy_backward_kernel(
    z_ptr,              # (N, V) logits, row stride stride_n; this program owns ROWS rows
    targets_ptr,        # (N,) int64
    lse_ptr,            # (N,) from the forward
    share_ptr,          # () what each counted row weighs: dy / their number
    dz_ptr,             # (N, V) gradient with respect to the logits, row stride V
    N, V, ignore_index, stride_n,
    ROWS: tl.constexpr, BLOCK_V: tl.constexpr,
):
    """(5) dz_v = share (exp(z_v - lse) - 1[v = target]), and 0 for a row that does not count."""
    ACC: tl.constexpr = lse_ptr.dtype.element_ty
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    target = tl.load(targets_ptr + row, mask=row < N, other=0)
    counted = (row < N) & (target != ignore_index)
    lse = tl.load(lse_ptr + row, mask=row < N, other=0.0)
    share = tl.where(counted, tl.load(share_ptr), 0.0)
    for start in range(0, V, BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)
        inside = column[None, :] < V
        z = tl.load(z_ptr + row[:, None] * stride_n + column[None, :], mask=counted[:, None] & inside,
                    other=-float("inf")).to(ACC)
        p = tl.exp(z - lse[:, None])                                  # (ROWS, BLOCK_V)
        hit = (column[None, :] == target[:, None]).to(ACC)
        dz = share[:, None] * (p - hit)                               # (ROWS, BLOCK_V)  (5)
        tl.store(dz_ptr + row[:, None] * V + column[None, :], dz.to(dz_ptr.dtype.element_ty),
                 mask=(row < N)[:, None] & inside)


def configuration(N, V):
    """The constants of a launch, then its warps and stages: long rows by tiles, short rows several at once."""
    columns = min(triton.next_power_of_2(V), TILE)
    rows = max(1, min(TILE // columns, triton.next_power_of_2(N)))
    return {"ROWS": rows, "BLOCK_V": columns}, 8 if rows * columns == TILE else 4, 1


def rows_forward(z, targets, ignore_index):
    """-log p(target) of each row of z, and its log-sum-exp: (N,) and (N,), in float32 (float64 for float64)."""
    acc = torch.float64 if z.dtype == torch.float64 else torch.float32
    loss, lse = (torch.empty(len(z), dtype=acc, device=z.device) for _ in range(2))
    _launch(cross_entropy_forward_kernel, z, (targets, loss, lse), ignore_index)
    return loss, lse


def rows_backward(z, targets, lse, share, dz, ignore_index):
    """Store in dz (N, V) the gradient of share times the sum of the rows' losses; dz may be z itself."""
    _launch(cross_entropy_backward_kernel, z, (targets, lse, share, dz), ignore_index)


def _launch(kernel, z, others, ignore_index):
    N, V = z.shape
    constants, warps, stages = configuration(N, V)
    if N:
        kernel[(triton.cdiv(N, constants["ROWS"]),)](z, *others, N, V, ignore_index, z.stride(0), **constants,
                                                     num_warps=warps, num_stages=stages)


def as_rows(logits, targets):
    """Logits as (N, V) whose rows lie whole in memory, targets as (N,) int64."""
    z = logits.reshape(-1, logits.shape[-1])
    return z if z.stride(1) == 1 else z.contiguous(), targets.reshape(-1).long().contiguous()


def counted_targets(targets, V, ignore_index):
    """How many targets count, as a tensor; IndexError for one that is no token. The host looks before any launch."""
    counted = targets != ignore_index
    outside = targets[counted & ((targets < 0) | (targets >= V))]
    if outside.numel():
        raise IndexError(f"target {int(outside[0])} is not one of V={V} tokens (0 to {V - 1}), "
                         f"nor ignore_index={ignore_index}")
    return counted.sum()


@torch.library.custom_op("minigpt::cross_entropy", mutates_args=())
def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor, ignore_index: int) -> tuple[torch.Tensor, torch.Tensor]:
    z, targets = as_rows(logits, targets)
    count = counted_targets(targets, z.shape[1], ignore_index)
    loss, lse = rows_forward(z, targets, ignore_index)
    return (loss.sum() / count.clamp(min=1)).to(logits.dtype), lse


@torch.library.custom_op("minigpt::cross_entropy_backward", mutates_args=())
def _cross_entropy_backward(dy: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor, lse: torch.Tensor,
                            ignore_index: int) -> torch.Tensor:
    z, targets = as_rows(logits, targets)
    share = dy.to(lse.dtype) / (targets != ignore_index).sum().clamp(min=1)
    dz = torch.empty_like(z, memory_format=torch.contiguous_format)
    rows_backward(z, targets, lse, share, dz, ignore_index)
    return dz.view(logits.shape)


@_cross_entropy.register_fake
def _(logits, targets, ignore_index):
    acc = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return logits.new_empty(()), logits.new_empty(targets.numel(), dtype=acc)


@_cross_entropy_backward.register_fake
def _(dy, logits, targets, lse, ignore_index):
    return logits.new_empty(logits.shape)


def _keep(ctx, inputs, output):
    logits, targets, ctx.ignore_index = inputs
    ctx.save_for_backward(logits, targets, output[1])


_cross_entropy.register_autograd(
    lambda ctx, dy, dlse: (_cross_entropy_backward(dy, *ctx.saved_tensors, ctx.ignore_index), None, None),
    setup_context=_keep)


def cross_entropy(logits, targets, ignore_index=-100):
    """Mean of -log p(target) over the counted targets, where p = softmax(logits).

    logits: (..., V), any floating dtype; computed in float32 (float64 for float64). targets: (...) integers from 0 to
    V - 1, or ignore_index. Returns loss: a number, nats per counted token, 0 if none counts, in the logits' dtype.
    Raises IndexError for any other target.
    """
    return _cross_entropy(logits, targets, ignore_index)[0]


cross_entropy.contains = frozenset()


def work_of_forward(N, V, counted, itemsize, acc=4):
    """What cross_entropy_forward_kernel moves, for N rows of which some are counted."""
    loads = counted * (V + 1) * itemsize + N * 8
    return _backend.Work(f"N {N}, V {V}", loads, 2 * N * acc, 0, 0)


def work_of_backward(N, V, counted, itemsize, programs, acc=4):
    """What cross_entropy_backward_kernel moves; each program reads the share once."""
    loads = counted * V * itemsize + N * (8 + acc) + programs * acc
    return _backend.Work(f"N {N}, V {V}", loads, N * V * itemsize, 0, 0)


def shipped():
    """The compiled forms: characters, a vocabulary that is a multiple of 16, and GPT-2's, which is not."""
    found, N = [], 8192
    for name, size in (("fp32", 4), ("fp16", 2), ("bf16", 2)):
        for V in (96, 50304, 50257):
            constants, warps, stages = configuration(N, V)
            aligned = ("N", "V", "stride_n") if V % 16 == 0 else ("N",)
            promise = {"matrix": False, "copies": False, "vectors": V % 16 == 0, "blocks": {80: 4, 90: 4}}
            types = {"z_ptr": f"*{name}", "targets_ptr": "*i64", "loss_ptr": "*fp32", "lse_ptr": "*fp32",
                     "share_ptr": "*fp32", "dz_ptr": f"*{name}"}
            programs = triton.cdiv(N, constants["ROWS"])
            for kernel, work in ((cross_entropy_forward_kernel, work_of_forward(N, V, N, size)),
                                 (cross_entropy_backward_kernel, work_of_backward(N, V, N, size, programs))):
                found.append(_backend.Shipped(kernel, f"{name}, V {V}", types, constants, warps, stages, aligned,
                                              promise, work))
    return found
