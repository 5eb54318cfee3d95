"""What the contracts of the layer_norm and rms_norm kernels share: sizes of tiles, arrays, and comparisons."""
import contextlib
from unittest import mock

import numpy as np
import pytest
import torch

from minigpt.grading.compare import assert_close, untouched
from minigpt.grading.kernel_op import KernelOp, device, require_interpreter

SIZES = [1, 15, 16, 17, 63, 65, 127, 129]
SHAPES = list(zip(SIZES, reversed(SIZES), strict=True))
WAYS = {"whole rows": {"TILE": 64}, "rows in blocks": {"TILE": 64, "KEPT": 16}}        # small, so that tiles are many


@contextlib.contextmanager
def way(name):
    """Let rows be short or long for the kernels, with small tiles."""
    from kernels import row_norms
    with mock.patch.multiple(row_norms, **WAYS[name]):
        yield


def in_float32(inputs, dy):
    """The same arrays, rounded to numbers that float32 holds."""
    *inputs, dy = (a.astype(np.float32).astype(np.float64) for a in (*inputs, dy))
    return inputs, dy


def tensors(inputs, dy, dtype=torch.float32):
    """Arrays as tensors of where kernels run; the inputs want gradients."""
    to = {"dtype": dtype, "device": device()}
    return [torch.tensor(a, requires_grad=True, **to) for a in inputs], torch.tensor(dy, **to)


def value_and_gradients(function, inputs, dy):
    y = function(*inputs)
    return y, *torch.autograd.grad(y, inputs, dy.to(y.dtype))


def assert_what_is_given_or_kept_is_left(function, inputs, dy):
    """Neither the inputs nor y or dy may be written over by the backward."""
    y = function(*inputs)
    before = {f"input {place}": a.detach().numpy(force=True) for place, a in enumerate(inputs)}
    with untouched(**before, y=y.detach().numpy(force=True), dy=dy.numpy(force=True)):
        y.backward(dy)


def assert_other_dtypes_are_kept(function, plain, inputs, dy, dtype):
    """x in dtype, the parameters in others: y and each gradient in their own, and right."""
    kinds = (dtype, torch.float32, torch.float16)[:len(inputs)]
    leaves = [a.detach().to(kind).requires_grad_() for a, kind in zip(inputs, kinds, strict=True)]
    got = value_and_gradients(function, leaves, dy.to(dtype))
    assert [a.dtype for a in got] == [dtype, *kinds]
    exact = [a.detach().double().requires_grad_() for a in leaves]
    for a, right in zip(got, value_and_gradients(plain, exact, dy.to(dtype)), strict=True):
        torch.testing.assert_close(a, right.to(a.dtype))


def assert_float64_is_exact(function, plain, inputs, dy):
    """With rows so small that eps counts, and all of its digits."""
    inputs[0].data.mul_(1e-3)
    for got, right in zip(*(value_and_gradients(f, inputs, dy) for f in (function, plain)), strict=True):
        torch.testing.assert_close(got, right, rtol=1e-12, atol=1e-11)


def assert_compiles_whole(function, plain, inputs, dy):
    """Into one graph, with the same gradients."""
    compiled = torch.compile(lambda *args: 2 * function(*args), backend="aot_eager", fullgraph=True)
    expected = value_and_gradients(lambda *args: 2 * plain(*args), inputs, dy)
    for got, right in zip(value_and_gradients(compiled, inputs, dy), expected, strict=True):
        torch.testing.assert_close(got, right)


def assert_runs_and_orders_agree(concept, functions, inputs, dy):
    """Two runs, and two more with the programs in other orders, give the same to the bit."""
    runs = [KernelOp(concept, "triton", functions, order=order).run(inputs, dy) for order in (None, None, 1, 2)]
    for y, gradients in runs[1:]:
        for got, first in zip((y, *gradients), (runs[0][0], *runs[0][1]), strict=True):
            np.testing.assert_array_equal(got, first)


def launch(op, name, grid, arrays, integers, constants):
    """A kernel of the room, or the one of row_norms, over so many arrays of 16 numbers."""
    from kernels import row_norms
    kernel = op.functions.get(name) or getattr(row_norms, name)
    kernel[grid](*(torch.zeros(16) for _ in range(arrays)), *integers, **constants)


def assert_masked_rows_are_addressed_in_64_bits(op, name, arguments):
    """Of four rows 2^30 wide the first is there: nothing else is loaded, but all are addressed."""
    require_interpreter()
    with op.watched():
        launch(op, name, (1, 1), *arguments)


def assert_later_programs_are_addressed_in_64_bits(op, name, arguments):
    """What program 2 of 4 wants lies outside of everything, and not where an overflow would put it."""
    from kernels.sanitize import SanitizerError, sanitized
    require_interpreter()
    with pytest.raises(SanitizerError) as error, sanitized(order=0):           # seed 0: program 2 comes first
        launch(op, name, (4,), *arguments)
    said = str(error.value)
    assert "outside every tensor" in said, said


def assert_launched_is_shipped(function, shipped, inputs, dy):
    """Each launch has the constants of a shipped form, those that depend on eps alone included."""
    from kernels.sanitize import sanitized
    require_interpreter()
    with sanitized() as meter:
        function(*inputs).backward(dy)
    forms = {(form.kernel.__name__, frozenset(form.constants.items())) for form in shipped}
    assert {(launched.kernel, frozenset(launched.constants.items())) for launched in meter.launches} <= forms


def assert_bytes(function, inputs, dy, *, parameters, sums, weight, statistics):
    """Bytes moved are those of the closed forms; arguments as work_of_forward and work_of_backward have them."""
    from kernels import row_norms
    from kernels.sanitize import sanitized
    require_interpreter()
    (M, C), size = dy.shape, dy.dtype.itemsize
    with sanitized() as forward:
        y = function(*inputs)
    with sanitized() as backward:
        y.backward(dy)
    P = backward.launches[0].grid[0]
    work = row_norms.work_of_forward(M, C, size, parameters=parameters, statistics=statistics)
    assert (forward.load_bytes, forward.store_bytes, forward.flops) == (work.loads, work.stores, 0)
    works = [row_norms.work_of_backward(M, C, size, P, weight=weight, sums=sums, statistics=statistics)]
    works += [row_norms.work_of_sums(P, sums // 4, C, weight)] if sums else []
    assert len(backward.launches) == len(works)
    assert backward.load_bytes == sum(work.loads for work in works)
    assert backward.store_bytes == sum(work.stores for work in works)


def assert_every_part_is_added(op):
    """More parts than a tile of the second stage has, and more features."""
    from kernels import row_norms
    parts = torch.randn(70, 2, 100, generator=torch.Generator().manual_seed(0)).to(device())
    dweight, dbias = (torch.empty(100, device=device(), dtype=torch.float16) for _ in range(2))
    with op.watched():
        row_norms.add_up(parts, dweight, dbias)
    got = np.stack([dweight.numpy(force=True), dbias.numpy(force=True)])
    assert_close(got, parts.double().sum(dim=0).numpy(force=True), "sums of parts")
