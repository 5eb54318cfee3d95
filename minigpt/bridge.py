"""A NumPy forward/backward pair as a torch function, with that hand-written gradient."""
import functools

import numpy as np
import torch


def from_numpy(forward, backward):
    """Turn `forward(*inputs) -> (y, cache)` and `backward(dy, cache) -> gradients` into a torch function.

    The gradients come in the order of the floating-point tensors among the inputs, each with its
    input's shape. What comes back has the device and dtype of the first floating-point tensor.
    Raises ValueError if their number or a shape is wrong, so a slip is seen before training starts.
    """
    @functools.wraps(forward)
    def function(*args, **kwargs):
        return _Pair.apply(forward, backward, tuple(kwargs.items()), *args)

    return function


class _Pair(torch.autograd.Function):
    @staticmethod
    def forward(ctx, forward, backward, options, *args):
        with torch.enable_grad():                      # a pair may take its gradient from PyTorch
            result = forward(*map(_to_numpy, args), **{name: _to_numpy(value) for name, value in options})
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ValueError(f"{forward.__name__} must return (y, cache), got {type(result).__name__}")
        y, cache = result
        ctx.backward_function, ctx.cache = backward, cache
        ctx.differentiable = [i for i, a in enumerate(args) if _is_float_tensor(a)]
        ctx.inputs = [(args[i].shape, args[i].dtype, args[i].device) for i in ctx.differentiable]
        ctx.n_args = len(args)
        return _to_torch(y, *ctx.inputs[0][1:])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        with torch.enable_grad():
            gradients = as_gradients(ctx.backward_function(_to_numpy(dy), ctx.cache))
        check_gradients(gradients, [tuple(shape) for shape, _, _ in ctx.inputs], ctx.backward_function.__name__)
        dargs = [None] * ctx.n_args
        for i, gradient, (_, dtype, device) in zip(ctx.differentiable, gradients, ctx.inputs, strict=True):
            dargs[i] = _to_torch(gradient, dtype, device)
        return None, None, None, *dargs


def as_gradients(result):
    """A backward's result as a tuple of arrays; None (an input that was absent) is left out."""
    result = result if isinstance(result, tuple | list) else (result,)
    return tuple(gradient for gradient in result if gradient is not None)


def check_gradients(gradients, shapes, name):
    """Raise ValueError unless there is one gradient for each input shape, alike in shape."""
    if len(gradients) != len(shapes):
        raise ValueError(f"{name} returned {len(gradients)} gradient(s), expected {len(shapes)}: "
                         f"one for each floating-point input, in order")
    for i, (gradient, shape) in enumerate(zip(gradients, shapes, strict=True)):
        got = {key: np.shape(g) for key, g in gradient.items()} if isinstance(gradient, dict) else np.shape(gradient)
        if got != shape:
            raise ValueError(f"{name}: gradient {i} has shape {got}, its input has {shape}")


def _is_float_tensor(a):
    return isinstance(a, torch.Tensor) and a.is_floating_point()


def _to_numpy(a):
    if not isinstance(a, torch.Tensor):
        return a
    array = a.detach().cpu().numpy()
    array.flags.writeable = False                      # it is the model's own memory
    return array


def _to_torch(a, dtype, device):
    return torch.as_tensor(np.array(a), dtype=dtype, device=device)
