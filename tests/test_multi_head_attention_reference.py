"""What only the reference of multi_head_attention has: a gradient derived by hand, and dropout from a generator."""
import numpy as np
import pytest
from test_multi_head_attention import PARTS, normal, parameters

from minigpt.gradcheck import numerical_gradient
from minigpt.grading.compare import assert_close
from minigpt.reference.attention import attention_forward
from minigpt.reference.multi_head_attention import (
    merge_heads,
    multi_head_attention_backward,
    multi_head_attention_forward,
    split_heads,
)


@pytest.mark.parametrize("options", [{}, {"rope_theta": 100.0, "query_key_norm": True}])
def test_the_reference_gradients_equal_finite_differences(options):
    x, dy, params = normal(1, 3, 4), normal(1, 3, 4, seed=9), parameters(4, shared=2)

    def forward(x, params):
        return multi_head_attention_forward(x, params, n_head=2, causal=True, dropout=0.3,
                                            generator=np.random.default_rng(0), **options)
    dx, dparams = multi_head_attention_backward(dy, forward(x, params)[1])
    assert_close(dx, numerical_gradient(lambda x: forward(x, params)[0], x, dy), "dx", (1e-7, 1e-8))
    for key, p in params.items():
        numerical = numerical_gradient(lambda p, key=key: forward(x, params | {key: p})[0], p, dy)
        assert_close(dparams[key], numerical, key, (1e-7, 1e-8))


def test_the_reference_drops_weights_of_the_attention():
    x, params = normal(1, 6, 4), parameters(4, bias=False)
    options = {"n_head": 2, "dropout": 0.5, "generator": np.random.default_rng(0)}
    q, k, v = (split_heads(x @ params[f"{name}.weight"].T, 2) for name in PARTS[:3])
    a, _ = attention_forward(q, k, v, dropout=0.5, generator=np.random.default_rng(0))
    assert_close(multi_head_attention_forward(x, params, **options)[0], merge_heads(a) @ params["output.weight"].T)
