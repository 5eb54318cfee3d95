"""minigpt: one language model, readable four ways - the math, NumPy, PyTorch, Triton."""

import os

# PyTorch's threads wait for each other thousands of times a second. By default they spin while they wait, and when
# another program needs the core, training becomes several times slower. This must be said before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from minigpt.swap import implementation, replaceable, use

__version__ = "0.1.0"
__all__ = ["implementation", "replaceable", "use"]
