"""The class MultiHeadAttention: its parameters, its dropout, and what stands in for the softmax."""
import pytest
import torch
from test_multi_head_attention import parameters

import minigpt
from minigpt.multi_head_attention import MultiHeadAttention


@pytest.mark.parametrize("implementation", ["math", "fused"])
def test_the_module_drops_weights_while_training_only(implementation):
    torch.manual_seed(0)
    module, x = MultiHeadAttention(8, 2, dropout=0.5), torch.randn(2, 6, 8)
    with minigpt.use(**minigpt.implementation(implementation)):
        assert not torch.equal(module(x), module(x))
        module.eval()
        torch.testing.assert_close(module(x), module(x))


def test_the_module_has_the_parameters_of_the_reference():
    module = MultiHeadAttention(4, 2)
    assert sorted(module.state_dict()) == sorted(parameters(4))
    assert sorted(MultiHeadAttention(4, 2, bias=False).state_dict()) == sorted(parameters(4, bias=False))


def test_a_replaced_softmax_is_called_also_under_the_fused_attention():
    module, x = MultiHeadAttention(4, 2), torch.randn(1, 3, 4)
    with minigpt.use(**minigpt.implementation("fused")), minigpt.use(softmax=torch.zeros_like):
        torch.testing.assert_close(module(x), torch.zeros(1, 3, 4))
