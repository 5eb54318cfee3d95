"""minigpt: one language model, readable four ways - the math, NumPy, PyTorch, Triton."""

from minigpt.swap import implementation, replaceable, use

__version__ = "0.1.0"
__all__ = ["implementation", "replaceable", "use"]
