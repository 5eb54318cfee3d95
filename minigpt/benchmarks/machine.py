"""What this machine can do at most: the yardstick that a speed is a share of."""
import statistics
import time

import torch


def matmul_peak(size=1024, rounds=15, dtype=torch.float32, device="cpu"):
    """Measured speed of a large matrix product, in floating-point operations per second (the median of rounds).

        a product of two (n, n) matrices takes 2 n^3 operations
    """
    a, b = torch.randn(2, size, size, dtype=dtype, device=device)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        c = a @ b
        if c.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return 2 * size**3 / statistics.median(times[2:])


def memory_bandwidth(n_bytes=2**29, rounds=9):
    """Measured speed of reading memory from end to end, in bytes per second (the median of rounds).

    n_bytes: more than the processor's caches hold.
    """
    numbers, times = torch.ones(n_bytes // 4), []
    for _ in range(rounds):
        started = time.perf_counter()
        numbers.sum()
        times.append(time.perf_counter() - started)
    return n_bytes / statistics.median(times[2:])


def training_flops_per_token(config, n_parameters):
    """Floating-point operations that one token of training takes, forward and backward.

        6 N + 12 L C T          N: parameters that multiply; the second term is attention's scores and sums

    Learned positions are looked up, not multiplied; so is a token embedding, unless it is also the output layer.
    Source: Chowdhery et al. 2022, arXiv:2204.02311, appendix B.
    """
    C, T, V = config.d_model, config.context_length, config.vocab_size
    looked_up = (T * C if config.positions == "learned" else 0) + (0 if config.tied_embeddings else V * C)
    return 6 * (n_parameters - looked_up) + 12 * config.n_layer * C * T
