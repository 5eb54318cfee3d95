"""The rule for low precision: an error against float64 at most twice that of plain PyTorch in the same precision."""
import torch

LOW = (torch.float16, torch.bfloat16)


def exact_and_gradients(function, inputs, dy):
    """y and the gradients of the floating-point inputs, all as float64."""
    leaves = [x.detach().clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    y = function(*leaves)
    gradients = torch.autograd.grad(y, [x for x in leaves if x.is_floating_point()], dy.to(y.dtype))
    return [a.detach().double() for a in (y, *gradients)]


def assert_as_exact_as_pytorch(ours, plain, inputs, dy, dtype, *, value=2, gradient=3):
    """Compare a function of ours and the plain one, both in `dtype`, with the plain one in float64.

    inputs, dy: tensors, made into `dtype` first. The largest error of y may be `value` times PyTorch's, of a gradient
    `gradient` times; an error below one rounding of the largest number counts as one rounding.
    """
    low = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    dy = dy.to(dtype)
    exact = exact_and_gradients(plain, [x.double() if x.is_floating_point() else x for x in low], dy)
    mine, theirs = (exact_and_gradients(function, low, dy) for function in (ours, plain))
    for place, (right, a, b) in enumerate(zip(exact, mine, theirs, strict=True)):
        rounding = torch.finfo(dtype).eps / 2 * right.abs().max().item()
        allowed = (gradient if place else value) * max((b - right).abs().max().item(), rounding)
        error = (a - right).abs().max().item()
        what = f"gradient {place - 1}" if place else "y"
        assert error <= allowed, f"{what}: error {error:.3g}, allowed {allowed:.3g}"
