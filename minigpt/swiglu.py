"""SwiGLU: one half of the hidden layer, bent by SiLU, says how much of the other half passes."""
from minigpt.silu import silu
from minigpt.swap import replaceable


@replaceable
def swiglu(gate, up):
    """Multiply each value by how far its gate is open.

        (1) a = silu(gate)
        (2) y = a up

    gate, up: of one shape, the outputs of two linear layers. Returns y of that shape.
    Source: Shazeer 2020, arXiv:2002.05202, section 2, without the linear layers; Swish_1 is SiLU.
    """
    a = silu(gate)                                            # (...)  (1)
    y = a * up                                                # (...)  (2)
    return y
