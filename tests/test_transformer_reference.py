"""What only the reference of the Transformer has: a gradient derived by hand, and dropout from a generator."""
import dataclasses

import numpy as np
import pytest
from test_transformer import CONFIGS, IDS, normal, parameters, small

from minigpt.gradcheck import numerical_gradient
from minigpt.grading.compare import assert_close
from minigpt.reference.transformer import transformer_backward, transformer_forward


class EverythingKept:
    """A generator whose draws drop nothing, so that what dropout would leave out is doubled at a rate of 1/2."""

    def __init__(self):
        self.drawn = []

    def random(self, shape, dtype):
        self.drawn.append(shape)
        return np.ones(shape, dtype)


def test_the_reference_draws_for_embeddings_weights_and_branches_and_only_from_a_generator():
    config, generator, params = small(dropout=0.5), EverythingKept(), parameters(small())
    logits, _ = transformer_forward(IDS, params, config, generator=generator)
    assert generator.drawn == [(2, 5, 4)] + [(2, 2, 5, 5), (2, 5, 4), (2, 5, 4)] * 2
    without, _ = transformer_forward(IDS, params, config)
    assert_close(without, transformer_forward(IDS, params, small())[0])
    assert np.abs(logits - without).max() > 1e-3


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_reference_gradients_equal_finite_differences(name):
    config = dataclasses.replace(CONFIGS[name], dropout=0.2)
    params, dlogits = parameters(config), normal(2, 3, 7)

    def forward(changed):
        return transformer_forward(IDS[:, :3], params | changed, config, generator=np.random.default_rng(0))
    dparams = transformer_backward(dlogits, forward({})[1])
    assert sorted(dparams) == sorted(params)
    for key, p in params.items():
        numerical = numerical_gradient(lambda p, key=key: forward({key: p})[0], p, dlogits)
        assert_close(dparams[key], numerical, key, (1e-6, 1e-7))
