"""The judge of gradients is right, and notices a wrong one."""
import numpy as np
import pytest

from minigpt.gradcheck import gradient_errors, numerical_gradient


def test_the_gradient_of_a_cube_is_three_x_squared():
    x = np.array([1.0, -2.0, 0.5])
    gradient = numerical_gradient(lambda x: x**3, x, np.ones(3))
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-8)


def test_a_gradient_that_is_wrong_by_a_percent_is_noticed():
    errors = gradient_errors(lambda x: (x**2, x), lambda dy, x: 2.02 * x * dy, (np.ones(2),), np.ones(2))
    assert errors[0] > 1e-3


def test_each_input_has_its_own_error():
    x, w = np.ones((2, 3)), np.ones(3)
    errors = gradient_errors(lambda x, w: (x * w, (x, w)), lambda dy, c: (dy * c[1], 2 * (dy * c[0]).sum(0)),
                             (x, w), np.ones((2, 3)))
    assert errors[0] < 1e-8 < errors[1]


def test_float32_is_refused():
    with pytest.raises(ValueError, match="float64"):
        numerical_gradient(lambda x: x, np.ones(2, dtype=np.float32), np.ones(2))
