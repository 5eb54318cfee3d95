"""SwiGLU: one half of the hidden layer, bent by SiLU, says how much of the other half passes."""
from collections import namedtuple

from minigpt.reference.silu import silu_backward, silu_forward

SwigluCache = namedtuple("SwigluCache", "up a silu")


def swiglu_forward(gate, up):
    """Multiply each value by how far its gate is open.

        (1) a = silu(gate)
        (2) y = a up

    gate, up: of one shape, the outputs of two linear layers. Returns y of that shape, and the cache that
    swiglu_backward needs.
    Source: Shazeer 2020, arXiv:2002.05202, section 2, without the linear layers; Swish_1 is SiLU.
    """
    a, silu = silu_forward(gate)                              # (...)  (1)
    y = a * up                                                # (...)  (2)
    return y, SwigluCache(up, a, silu)


def swiglu_backward(dy, cache):
    """Gradients of the loss with respect to gate and up.

        (3) da = dy up,    dup = dy a
        (4) dgate = gradient of (1) for da

    dy: the shape of gate. Returns dgate and dup of that shape.
    """
    da = dy * cache.up                                        # (...)  (3)
    dup = dy * cache.a                                        # (...)  (3)
    dgate = silu_backward(da, cache.silu)                     # (...)  (4)
    return dgate, dup
