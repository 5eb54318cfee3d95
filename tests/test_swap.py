"""The one door: what stands in, for whom, and for how long."""
import threading

import pytest
import torch

import minigpt
from minigpt import fused, swap
from minigpt.bridge import from_numpy
from minigpt.reference.softmax import softmax_backward, softmax_forward
from minigpt.softmax import softmax

X = torch.zeros(1, 4, dtype=torch.float64)


def twice(x):
    return 2 * softmax(x)


def test_a_replacement_stands_in_wherever_it_was_imported():
    with minigpt.use(softmax=torch.zeros_like):
        assert softmax(X).sum() == 0
    assert softmax(X).sum() == 1


def test_inside_a_replacement_the_name_means_the_original():
    with minigpt.use(softmax=twice):
        assert softmax(X).sum() == 2


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(KeyError, match="did you mean 'softmax'"), minigpt.use(sofmax=twice):
        pass


def test_a_replacement_that_was_never_called_is_an_error():
    with pytest.raises(RuntimeError, match=r"softmax.*never called"), minigpt.use(softmax=twice):
        pass


def test_an_exception_restores_the_original_and_is_not_hidden():
    with pytest.raises(ZeroDivisionError), minigpt.use(softmax=twice):
        raise ZeroDivisionError
    assert softmax(X).sum() == 1


def test_an_exception_inside_a_replacement_restores_it_for_the_next_call():
    def fails(x):
        raise ZeroDivisionError
    with minigpt.use(softmax=fails):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                softmax(X)


def test_the_inner_of_two_replacements_wins():
    with minigpt.use(softmax=torch.zeros_like):
        softmax(X)
        with minigpt.use(softmax=torch.ones_like):
            assert softmax(X).sum() == 4
        assert softmax(X).sum() == 0


def test_another_thread_sees_the_original():
    seen = []
    with minigpt.use(softmax=torch.zeros_like):
        softmax(X)
        thread = threading.Thread(target=lambda: seen.append(float(softmax(X).sum())))
        thread.start()
        thread.join()
    assert seen == [1]


def test_ours_need_not_be_called():
    with minigpt.use(**minigpt.implementation("fused")):
        pass


@pytest.mark.parametrize("mine_is_outside", [True, False])
def test_yours_wins_over_ours_from_either_side(mine_is_outside):
    mine, ours = {"softmax": torch.zeros_like}, minigpt.implementation("fused")
    first, second = (mine, ours) if mine_is_outside else (ours, mine)
    with minigpt.use(**first), minigpt.use(**second):
        assert softmax(X).sum() == 0


def test_a_numpy_pair_gives_its_value_and_its_gradient():
    x = X.clone().requires_grad_()
    with minigpt.use(softmax=from_numpy(softmax_forward, lambda dy, cache: 7 * softmax_backward(dy, cache))):
        softmax(x)[0, 0].backward()
    expected = X.clone().requires_grad_()
    softmax(expected)[0, 0].backward()
    torch.testing.assert_close(x.grad, 7 * expected.grad)


def test_a_pair_may_take_its_gradient_from_pytorch():
    def forward(x):
        x = torch.tensor(x, requires_grad=True)
        y = torch.softmax(x, -1)
        return y.detach().numpy(), (x, y)

    def backward(dy, cache):
        return torch.autograd.grad(cache[1], cache[0], torch.tensor(dy), retain_graph=True)[0].numpy()

    x = torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64)
    theirs, ours = ([leaf] for leaf in (x.clone().requires_grad_(), x.clone().requires_grad_()))
    dy = torch.tensor([[1.0, -1.0, 3.0]], dtype=torch.float64)
    from_numpy(forward, backward)(*theirs).backward(dy)
    softmax(*ours).backward(dy)
    assert torch.allclose(theirs[0].grad, ours[0].grad)


def test_a_gradient_of_the_wrong_shape_is_named():
    pair = from_numpy(softmax_forward, lambda dy, cache: dy[0])
    with pytest.raises(ValueError, match="gradient 0 has shape"):
        pair(X.clone().requires_grad_()).sum().backward()


def test_a_missing_gradient_is_named():
    pair = from_numpy(lambda x, w: (x * w, None), lambda dy, cache: dy)
    with pytest.raises(ValueError, match=r"1 gradient\(s\), expected 2"):
        pair(X.clone().requires_grad_(), X.clone().requires_grad_()).sum().backward()


def test_a_forward_without_a_cache_is_named():
    with pytest.raises(ValueError, match=r"must return \(y, cache\)"):
        from_numpy(lambda x: x, softmax_backward)(X)


def test_every_fused_function_has_the_name_of_one_of_ours():
    ours = swap.implementation("fused") | swap.implementation("triton")
    assert set(ours) <= set(swap.known_names())
    assert "softmax" in ours
    assert fused.softmax.contains == frozenset()
