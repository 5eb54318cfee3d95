"""What only the reference of attention has: a gradient derived by hand."""
import numpy as np
from test_attention import KEY_MASK, problem

from minigpt.gradcheck import gradient_errors
from minigpt.reference.attention import attention_backward, attention_forward


def test_the_reference_gradients_equal_finite_differences():
    q, k, v, dy = problem(G=2, T=3)

    def forward(q, k, v):
        options = {"dropout": 0.3, "generator": np.random.default_rng(0)}
        return attention_forward(q, k, v, causal=True, key_mask=KEY_MASK, **options)
    assert max(gradient_errors(forward, attention_backward, (q, k, v), dy)) < 1e-8
