"""What PyTorch has no fused CPU operator for, with its gradient written by hand: few passes over memory.

Autograd keeps every intermediate of a spelled-out function and goes over each again on the way back. The same
equations written as one forward and one backward, as in the NumPy files, take fewer passes.
"""
import torch
from torch.autograd.function import once_differentiable


class RMSNorm(torch.autograd.Function):
    """rms_norm; equations (1) to (7) of minigpt.reference.rms_norm."""

    @staticmethod
    def forward(ctx, x, weight, eps):
        square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])            # (1)
        rstd = square.add_(eps).rsqrt_()                                                                  # (2)
        normal = x * rstd                                                                                 # (3)
        ctx.save_for_backward(normal, weight, rstd)
        return normal.clone() if weight is None else normal * weight                                      # (4)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        normal, weight, rstd = ctx.saved_tensors
        C = normal.shape[-1]
        dweight = None
        if weight is not None:
            dweight = (dy * normal).reshape(-1, C).sum(dim=0)                                             # (5)
            dy = dy * weight
        mean_dn_n = torch.linalg.vecdot(dy, normal)[..., None].div_(C)
        return torch.addcmul(dy, normal, mean_dn_n, value=-1).mul_(rstd), dweight, None                   # (7)


class Rope(torch.autograd.Function):
    """rope, given its cosines and sines; equations (3) to (6) of minigpt.reference.rope."""

    @staticmethod
    def forward(ctx, x, cos, sin):
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1)                                                                    # (3) (4)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        cos, sin = ctx.saved_tensors
        return _turned(dy, cos, sin, -1), None, None                                                      # (5) (6)


class ReluSquared(torch.autograd.Function):
    """relu_squared; equations (1) to (4) of minigpt.reference.relu_squared."""

    @staticmethod
    def forward(ctx, x):
        r = x.clamp_min(0)                                                                                # (1)
        ctx.save_for_backward(r)
        return r * r                                                                                      # (2)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        r, = ctx.saved_tensors
        return (dy * r).mul_(2)                                                                           # (4)


def _turned(x, cos, sin, direction):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([(first * cos).addcmul_(second, sin, value=-direction),
                      (second * cos).addcmul_(first, sin, value=direction)], dim=-1)
