"""The gradients of the user's own functions, against finite differences, near what this model passes to them."""
import inspect

import numpy as np
import torch

from minigpt import swap
from minigpt.errors import InputError
from minigpt.recorded_calls import again, recorded

TOLERANCE = {torch.float64: 1e-3, torch.float32: 5e-2}   # of the slope; the second for functions that refuse float64
ROUNDING = {torch.float64: 1e-15, torch.float32: 6e-8}


def remarks(functions, model, objective, batch, seed=0):
    """Check the gradient of each function that the model needs one of; a list of lines on what was found.

    Arguments as those of `recorded`.
    Raises InputError for a wrong gradient: of which function and input, where, what was expected and what came.
    """
    right, said = [], []
    for name, calls in recorded(functions, model, objective, batch, seed).items():
        for call in calls:
            dtype, alike = _two_answers(functions[name], call)
            if alike:
                _require_right_gradients(name, functions[name], call, dtype)
                right.append(name)
                said += _difference(name, functions[name], call, dtype)
            else:
                said.append(f"{name} gives another answer each time: its gradient cannot be checked")
    agree = f"checked against finite differences: the gradient of {', '.join(dict.fromkeys(right))}"
    return [*[agree][:len(right)], *dict.fromkeys(said)]


def _two_answers(function, call):
    """(the dtype that the function can be called with, whether the same call gives the same values twice)."""
    try:
        first, dtype = again(function, call), torch.float64
    except Exception:                                  # it works in float32 only, which the model uses
        first, dtype = again(function, call, dtype=torch.float32), torch.float32
    second = again(function, call, dtype=dtype)
    return dtype, torch.equal(first.detach().nan_to_num(), second.detach().nan_to_num())


def _require_right_gradients(name, function, call, dtype):
    """Raise InputError if a gradient is wrong at two places: at one, there may be a kink."""
    for seed in (1, 2):
        point = Point(function, call, dtype, seed)
        wrong = next(filter(None, map(point.wrong, call.inputs)), None)
        if wrong is None:
            return
    place, index, expected, got = wrong
    names = list(inspect.signature(function).parameters)
    label = place if isinstance(place, str) else names[place] if place < len(names) else f"number {place + 1}"
    at = "along a random direction" if index is None else f"at {label}{list(index)}"
    raise InputError(f"the gradient of {name} for its input {label} is wrong: {at} expected {expected:.6g} (by finite "
                     f"differences), got {got:.6g}; mend it, or train with it as it is: --no-check")


def _difference(name, function, call, dtype):
    """A line if the values are not those of ours, which they need not be."""
    ours = [again(swap.original(name), call, dtype=dtype, luck=luck).detach() for luck in (1, 2)]
    if not torch.equal(*ours):
        return []                                      # ours is random, and yours may draw in another way
    yours = again(function, call, dtype=dtype).detach()
    both = ours[0].isfinite() & yours.isfinite()
    apart, size = (float(x[both].abs().amax()) if both.any() else 0.0 for x in (yours - ours[0], ours[0]))
    line = f"{name}: its values differ from those of ours by up to {apart:.2g} (ours reach {size:.2g})"
    return [line] if apart > 1e-4 * size else []


class Point:
    """A function near what the model passed to it: its value y there, and the gradients that it claims, of sum(dy * y).

    Near, and not there: the weights of 1 and biases of 0 that a model begins with would hide mistakes.
    """

    def __init__(self, function, call, dtype, seed):
        self.function, self.call, self.dtype = function, call, dtype
        self.generator = torch.Generator().manual_seed(seed)
        self.inputs = {k: self._near(call.values[k].to(dtype)) for k in call.inputs}
        leaves = [x.clone().requires_grad_() for x in self.inputs.values()]
        y = again(function, call, dict(zip(self.inputs, leaves, strict=True)), dtype=dtype)
        self.y = y.detach()
        self.dy = torch.where(self.y.isfinite(), self._noise(y.shape), 0)
        found = [None] * len(leaves)                   # of a function that lost the way back, by .detach() perhaps
        if y.requires_grad:
            found = torch.autograd.grad(y, leaves, self.dy.to(y.dtype), allow_unused=True)
        self.gradients = {k: torch.zeros_like(x) if g is None else g
                          for (k, x), g in zip(self.inputs.items(), found, strict=True)}

    def wrong(self, place):
        """(place, index, expected, got) where the gradient for an input is wrong, or None; index None: a direction."""
        gradient, x = self.gradients[place].flatten(), self.inputs[place]
        if len(bad := (~gradient.isfinite()).nonzero()):
            return self._entry(place, int(bad[0]))[1]
        usable = x.isfinite().flatten().nonzero()[:, 0]
        if not len(usable):
            return None
        direction = torch.where(x.isfinite(), self._noise(x.shape), 0)
        agrees, report = self._agrees(place, direction)
        if not agrees:
            return self._search(place, direction, usable) or report
        steepest = usable[gradient[usable].abs().argmax()]
        others = usable[torch.randint(len(usable), (2,), generator=self.generator)]
        entries = [self._entry(place, int(i)) for i in (steepest, *others)]
        return next((report for agrees, report in entries if not agrees), None)

    def _search(self, place, direction, usable):
        """Halve a direction that is wrong until one entry is left; its report, or None if it is not found like that."""
        while len(usable) > 1:
            for half in (usable[:len(usable) // 2], usable[len(usable) // 2:]):
                part = torch.zeros(direction.shape, dtype=self.dtype)
                part.view(-1)[half] = direction.flatten()[half]
                if not self._agrees(place, part)[0]:
                    break
            else:
                return None
            usable = half
        agrees, report = self._entry(place, int(usable[0]))
        return None if agrees else report

    def _entry(self, place, i):
        one = torch.zeros(self.inputs[place].shape, dtype=self.dtype)
        one.view(-1)[i] = 1
        agrees, (_, _, expected, got) = self._agrees(place, one)
        index = tuple(int(n) for n in np.unravel_index(i, one.shape))
        return agrees, (place, index, expected, got)

    def _agrees(self, place, direction):
        """(whether the gradient is the slope along a direction, report); larger steps only where that is uncertain."""
        gradient, scale = self.gradients[place], _size(self.inputs[place])
        got = float((gradient * direction)[direction != 0].sum())
        size = float((gradient * direction).norm())
        report = None
        for h in (1e-5, 1e-3, 1e-2) if self.dtype is torch.float64 else (1e-2, 3e-2):
            left, right, rounding = self._slopes(place, direction, h * scale, ROUNDING[
                torch.float64 if h < 1e-4 else torch.float32])      # the function may round to float32 inside
            expected, steepest = (left + right) / 2, max(abs(left), abs(right))
            report = report or (place, None, expected, got)
            slack = TOLERANCE[self.dtype] * max(steepest, abs(got), size) + rounding
            at_kink = h < 1e-4 and min(left, right) - slack <= got <= max(left, right) + slack
            if abs(got - expected) <= slack or at_kink:
                return True, report
            if abs(left - right) <= TOLERANCE[self.dtype] * steepest:
                break
        return False, report

    def _slopes(self, place, direction, h, eps):
        """(slope on the left, slope on the right, what rounding adds to them) of sum(dy * y) along a direction."""
        below, above = (again(self.function, self.call, self.inputs | {place: self.inputs[place] + step * direction},
                              dtype=self.dtype).detach() for step in (-h, h))
        moved = (above != below) & above.isfinite() & below.isfinite() & self.y.isfinite()
        left, right = (float((self.dy * d)[moved].sum()) / h for d in (self.y - below, above - self.y))
        return left, right, 10 * eps * float((self.dy * self.y)[moved].norm()) / h

    def _near(self, x):
        return torch.where(x.isfinite(), x + 0.1 * _size(x) * self._noise(x.shape), x)

    def _noise(self, shape):
        return torch.randn(shape, generator=self.generator, dtype=self.dtype)


def _size(x):
    """How large the finite numbers of x are, as their root mean square; 1 if they are 0."""
    finite = x[x.isfinite()]
    return float(finite.square().mean().sqrt()) or 1.0 if len(finite) else 1.0
