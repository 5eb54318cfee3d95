"""What the benchmark measures: each kernel beside PyTorch spelled out, PyTorch's own operator, and other kernels.

A case is one problem. Its functions take the same tensors and give the same values; test_kernel_benchmark runs each
of them, on small problems.
"""
import importlib
import importlib.util
import math
from collections import namedtuple

import torch
from torch.nn import functional as F

from kernels import _backend
from kernels._program import HERE

# module: whose kernel; sizes: in words; dtype; inputs: device -> tensors; functions: {"kernel": f, ...} of these;
# bytes: what has to be read and written at least, (forward, forward and backward); flops: likewise, of matrix
# products, or (0, 0); goals: of KERNEL, each a Goal.
Case = namedtuple("Case", "module sizes dtype inputs functions bytes flops goals")

# direction: FORWARD or BOTH; of: "bandwidth" (of memory, as measured), "TFLOP/s", or the names of functions, of which
# the first that is here is the measure of speed; at_least: the share of it, or {compute capability: TFLOP/s}.
Goal = namedtuple("Goal", "direction of at_least")

KERNEL, SPELLED_OUT, FUSED = "kernel", "PyTorch, spelled out", "PyTorch, fused"
LIGER, FLASH = "liger_kernel", "flash_attn"            # where they are installed
FORWARD, BOTH = "forward", "forward + backward"
DTYPES = (torch.float16, torch.bfloat16)


def softmax(M, N, dtype):
    """M rows of N scores: x in, y out; backward dy and y in, dx out."""
    def spelled_out(x):
        e = torch.exp(x - x.max(dim=-1, keepdim=True).values)
        return e / e.sum(dim=-1, keepdim=True)
    return Case("softmax", f"M {M}, N {N}", dtype, _normal(dtype, (M, N)),
                _functions("softmax", spelled_out, lambda x: F.softmax(x, -1), liger="liger_softmax"),
                _bytes(dtype, 2 * M * N, 5 * M * N), (0, 0),
                [goal for direction in (FORWARD, BOTH) if N >= 1024
                 for goal in (Goal(direction, "bandwidth", 0.8), Goal(direction, (FUSED,), 1.0))])


def layer_norm(M, C, dtype):
    """M rows of C features: x in, y out; backward dy and x in, dx out; the weights count for nothing beside them."""
    def spelled_out(x, weight, bias):
        centred = x - x.mean(dim=-1, keepdim=True)
        return centred * torch.rsqrt((centred * centred).mean(dim=-1, keepdim=True) + 1e-5) * weight + bias
    functions = _functions("layer_norm", spelled_out, lambda x, weight, bias: F.layer_norm(x, (C,), weight, bias),
                           liger="liger_layer_norm", more=(1e-5,))
    return Case("layer_norm", f"M {M}, C {C}", dtype, _normal(dtype, (M, C), (C,), (C,)), functions,
                _bytes(dtype, 2 * M * C, 5 * M * C), (0, 0), [Goal(p, "bandwidth", 0.8) for p in (FORWARD, BOTH)])


def rms_norm(M, C, dtype):
    """M rows of C features, as layer_norm."""
    def spelled_out(x, weight):
        return x * torch.rsqrt((x * x).mean(dim=-1, keepdim=True) + 1e-5) * weight
    functions = _functions("rms_norm", spelled_out, lambda x, weight: F.rms_norm(x, (C,), weight, 1e-5),
                           liger="liger_rms_norm", more=(1e-5, 0.0, "llama", False))        # not in place
    return Case("rms_norm", f"M {M}, C {C}", dtype, _normal(dtype, (M, C), (C,)), functions,
                _bytes(dtype, 2 * M * C, 5 * M * C), (0, 0), [Goal(p, "bandwidth", 0.8) for p in (FORWARD, BOTH)])


def cross_entropy(N, V, dtype):
    """N rows of V logits: in; backward in again, and the gradient out."""
    def inputs(device):
        return *_normal(dtype, (N, V))(device), _targets(N, V, device)
    return Case("cross_entropy", f"N {N}, V {V}", dtype, inputs,
                _functions("cross_entropy", _losses, F.cross_entropy, liger="liger_cross_entropy"),
                _bytes(dtype, N * V, 3 * N * V), (0, 0), [Goal(BOTH, (FUSED,), 2.0)])


def linear_cross_entropy(N, C, V, dtype):
    """N rows of C features, V words: x and the weight in; of N V logits nothing has to be stored."""
    def inputs(device):
        x, weight = _normal(dtype, (N, C), (V, C))(device)
        return x, weight, _targets(N, V, device)
    functions = _functions("linear_cross_entropy", lambda x, weight, targets: _losses(x @ weight.T, targets),
                           lambda x, weight, targets: F.cross_entropy(F.linear(x, weight), targets),
                           liger="liger_fused_linear_cross_entropy")
    return Case("linear_cross_entropy", f"N {N}, C {C}, V {V}", dtype, inputs, functions,
                _bytes(dtype, N * C + V * C, 3 * (N * C + V * C)), (2 * N * C * V, 6 * N * C * V), [])


def matmul(M, N, K, dtype):
    """(M, K) @ (K, N): both in, the product out; backward, which is two products, three in and two out."""
    factors, product = M * K + K * N, M * N
    return Case("matmul", f"M {M}, N {N}, K {K}", dtype, _normal(dtype, (M, K), (K, N)),
                _functions("matmul", None, torch.matmul), _bytes(dtype, factors + product, 3 * factors + 2 * product),
                (2 * M * N * K, 6 * M * N * K), [Goal(FORWARD, (FUSED,), 0.8)])


def linear(M, N, K, dtype):
    """(M, K) @ (N, K)^T + bias, as matmul."""
    factors, product = M * K + K * N, M * N
    return Case("linear", f"M {M}, N {N}, K {K}", dtype, _normal(dtype, (M, K), (N, K), (N,)),
                _functions("linear", lambda x, weight, bias: x @ weight.T + bias, F.linear),
                _bytes(dtype, factors + product, 3 * factors + 2 * product), (2 * M * N * K, 6 * M * N * K),
                [Goal(FORWARD, (FUSED,), 0.8)])


def attention(B, H, T, D, dtype):
    """Causal, H heads of T queries: q, k, v in, y out; backward the four and dy in, three gradients out.

    Of FLOPs only pairs count that may see each other: two products forward, five backward, where the scores are
    computed again.
    """
    def kernel(q, k, v):
        return _kernel("attention")(q, k, v, causal=True)

    def spelled_out(q, k, v):
        scores = q @ k.mT / math.sqrt(D)
        future = torch.ones(T, T, dtype=torch.bool, device=q.device).triu(1)
        return torch.softmax(scores.masked_fill(future, -float("inf")), -1) @ v
    functions = {KERNEL: kernel, SPELLED_OUT: spelled_out,
                 FUSED: lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)}
    if flash := _other("flash_attn", "flash_attn_func"):
        functions[FLASH] = lambda q, k, v: flash(*(x.transpose(1, 2) for x in (q, k, v)), causal=True).transpose(1, 2)
    pairs = B * H * T * (T + 1) // 2
    speeds = {64: {(8, 0): 150}, 128: {(9, 0): 300}}   # an A100's, an H100's
    array = B * H * T * D
    return Case("attention", f"B {B}, H {H}, T {T}, D {D}, causal", dtype, _normal(dtype, *[(B, H, T, D)] * 3),
                functions, _bytes(dtype, 4 * array, 12 * array), (4 * pairs * D, 14 * pairs * D),
                [Goal(FORWARD, "TFLOP/s", speeds.get(D, {})), Goal(BOTH, (FLASH, FUSED), 0.55)])


# case: the problems worth measuring, and small ones on which an interpreted kernel takes a moment
PROBLEMS = {
    attention: ([(16384 // T, 2048 // D, T, D) for D in (64, 128) for T in (512, 1024, 2048, 4096, 8192, 16384)],
                [(1, 2, 17, 16)]),                     # 16384 tokens and 2048 features each time
    cross_entropy: ([(8192, 32000), (4096, 128256)], [(5, 37)]),
    layer_norm: ([(4096, 1024), (4096, 4096), (4096, 16384)], [(5, 37)]),
    linear: ([(4096, 4096, 4096), (8192, 1024, 4096)], [(17, 24, 40)]),
    linear_cross_entropy: ([(8192, 1024, 32000), (4096, 4096, 128256)], [(5, 24, 37)]),
    matmul: ([(1024, 1024, 1024), (4096, 4096, 4096), (8192, 8192, 8192)], [(17, 24, 40)]),
    rms_norm: ([(4096, 1024), (4096, 4096), (4096, 16384)], [(5, 37)]),
    softmax: ([(4096, 2**n) for n in range(10, 17)], [(5, 37)]),
}


def known():
    """Names of what can be measured: the cases whose kernel is here."""
    return [case.__name__ for case in PROBLEMS if (HERE / f"{case.__name__}.py").exists()]


def cases(names, *, small=False, dtypes=DTYPES):
    """The cases of the named kernels, for each data type."""
    return [case(*sizes, dtype) for case, problems in PROBLEMS.items() if case.__name__ in names
            for dtype in dtypes for sizes in problems[small]]


def _functions(module, spelled_out, fused, liger=None, more=()):
    """The functions of a case, those that are here; `more` goes to the other package's after the inputs."""
    functions = {KERNEL: lambda *inputs: _kernel(module)(*inputs)}
    if spelled_out:
        functions[SPELLED_OUT] = spelled_out
    functions[FUSED] = fused
    if liger and (other := _other("liger_kernel.transformers.functional", liger)):
        functions[LIGER] = lambda *inputs: other(*inputs, *more)
    return functions


def _kernel(module):
    return getattr(importlib.import_module(f"kernels.{module}"), module)


def _other(module, name):
    """A function of a package that need not be installed, or None; it is for compiled kernels."""
    if _backend.INTERPRETED or importlib.util.find_spec(module.partition(".")[0]) is None:
        return None
    return getattr(importlib.import_module(module), name, None)


def _losses(logits, targets):
    """Cross-entropy spelled out, in float32 as its sum needs."""
    z = logits.float()
    return (torch.logsumexp(z, -1) - z.gather(-1, targets[:, None])[:, 0]).mean()


def _normal(dtype, *shapes):
    """device -> tensors of normal numbers, the same each time."""
    def inputs(device):
        generator = torch.Generator(device).manual_seed(0)
        return tuple(torch.randn(shape, dtype=dtype, device=device, generator=generator) for shape in shapes)
    return inputs


def _targets(N, V, device):
    return torch.randint(V, (N,), device=device, generator=torch.Generator(device).manual_seed(1))


def _bytes(dtype, forward, both):
    return forward * dtype.itemsize, both * dtype.itemsize
