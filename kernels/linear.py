"""Linear: three matrix products, one forward and two backward, of which none copies a transposed matrix.

Plan: all three are launches of the kernel of kernels/matmul.py; x W^T, dy W and dy^T x differ in their strides alone.
The bias is added on chip, so that y is written once. The gradient of the bias is a sum over rows, in a fixed order.
Bytes moved: those of the products; dy is read once more for the gradient of the bias.
"""
import torch

from kernels.matmul import matmul, multiply


@torch.library.custom_op("minigpt::linear", mutates_args=())
def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    O, I = weight.shape
    rows = x.reshape(-1, I)                                   # (N, I)
    y = x.new_empty(len(rows), O)                             # (N, O)
    multiply(rows, weight.T, y, bias)
    return y.view(*x.shape[:-1], O)


_linear.register_fake(lambda x, weight, bias: x.new_empty(*x.shape[:-1], weight.shape[0]))


def _linear_backward(ctx, dy):
    x, weight = ctx.saved_tensors
    O, I = weight.shape
    drows, rows = dy.reshape(-1, O), x.reshape(-1, I)         # (N, O), (N, I)
    return (matmul(drows, weight).view(x.shape) if ctx.needs_input_grad[0] else None,
            matmul(drows.T, rows) if ctx.needs_input_grad[1] else None,
            drows.sum(dim=0) if ctx.needs_input_grad[2] else None)


_linear.register_autograd(_linear_backward,
                          setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs[:2]))


def linear(x, weight, bias=None):
    """Multiply each row of x by the weight, and add the bias: y = x W^T + b.

    x: (..., I) features in; weight: (O, I); bias: (O,), or None for no bias; all of one floating dtype, sums in float32
    (float64 for float64). float32 is multiplied as torch.get_float32_matmul_precision() says.
    Returns y: (..., O). Raises ValueError for several dtypes.
    """
    return _linear(x, weight, bias)


linear.contains = frozenset()
