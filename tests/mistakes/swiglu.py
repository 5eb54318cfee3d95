"""Wrong answers to swiglu."""
import numpy as np

from minigpt.reference.gelu import gelu_backward, gelu_forward
from minigpt.reference.silu import SiluCache, silu_forward
from minigpt.reference.swiglu import SwigluCache, swiglu_backward, swiglu_forward
from mistakes import mistake


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def gated(gate, up, a):
    return a * up, SwigluCache(up, a, silu_forward(gate)[1])


@mistake("swiglu_forward", "gate and up are swapped: SiLU bends the gate, which comes first (equation 1)")
def gate_and_up_swapped(gate, up):
    return swiglu_forward(up, gate)


@mistake("swiglu_forward", "the gate is a sigmoid (that is GLU); here it is SiLU, x times the sigmoid (equation 1)")
def glu(gate, up):
    return sigmoid(gate) * up, swiglu_forward(gate, up)[1]


@mistake("swiglu_forward", "the gate is GELU (that is GEGLU); here it is SiLU (equation 1)")
def geglu(gate, up):
    return gated(gate, up, gelu_forward(gate)[0])


@mistake("swiglu_forward", "the gate is ReLU (that is ReGLU); here it is SiLU (equation 1)")
def reglu(gate, up):
    return gated(gate, up, np.maximum(gate, 0))


@mistake("swiglu_forward", "nothing is bent: the product of two linear layers has no gate (equation 1)")
def bilinear(gate, up):
    return gated(gate, up, gate)


@mistake("swiglu_forward", "up is bent by SiLU as well; it passes as it is (equation 2)")
def both_bent(gate, up):
    y, cache = swiglu_forward(gate, up)
    return y * sigmoid(up), cache


@mistake("swiglu_forward", "SiLU bends the product; it bends the gate, before up multiplies it (equations 1 and 2)")
def product_bent(gate, up):
    return silu_forward(gate * up)[0], swiglu_forward(gate, up)[1]


@mistake("swiglu_forward", "the two are added; the gate multiplies (equation 2)")
def added(gate, up):
    _, cache = swiglu_forward(gate, up)
    return cache.a + up, cache


@mistake("swiglu_forward", "up is left out: this is SiLU of the gate (equation 2)")
def up_left_out(gate, up):
    _, cache = swiglu_forward(gate, up)
    return cache.a, cache


@mistake("swiglu_forward", "the sigmoid is exp(x) / (1 + exp(x)), which is inf / inf for a large gate (equation 1)")
def inf_over_inf(gate, up):
    s = np.exp(gate) / (1 + np.exp(gate))
    return gate * s * up, SwigluCache(up, gate * s, SiluCache(gate, s))


@mistake("swiglu_forward", "the gate is written over: an input must be left as it was")
def writes_into_the_gate(gate, up):
    y, cache = swiglu_forward(gate.copy(), up)
    gate[...] = cache.a
    return y, cache


@mistake("swiglu_backward", "the gradients come in the wrong order: dgate first, then dup")
def gradients_swapped(dy, cache):
    return swiglu_backward(dy, cache)[::-1]


@mistake("swiglu_backward", "dgate is not bent back: it needs the slope of SiLU (equation 4)")
def slope_of_silu_missing(dy, cache):
    return dy * cache.up, dy * cache.a


@mistake("swiglu_backward", "the slope at the gate is the sigmoid's; SiLU is x times the sigmoid (equation 4)")
def slope_of_the_sigmoid(dy, cache):
    s = sigmoid(cache.silu.x)
    return dy * cache.up * s * (1 - s), dy * cache.a


@mistake("swiglu_backward", "the slope at the gate is that of GELU; SiLU has another (equation 4)")
def slope_of_gelu(dy, cache):
    x = cache.silu.x
    return gelu_backward(dy * cache.up, gelu_forward(x)[1]), dy * cache.a


@mistake("swiglu_backward", "dgate is not multiplied by up (equation 3)")
def up_missing_in_dgate(dy, cache):
    return swiglu_backward(dy, cache._replace(up=np.ones_like(cache.up)))[0], dy * cache.a


@mistake("swiglu_backward", "dup is multiplied by the gate itself; it passed SiLU before (equation 3)")
def dup_with_the_bare_gate(dy, cache):
    return swiglu_backward(dy, cache)[0], dy * cache.silu.x


@mistake("swiglu_backward", "dup is dy: the gate that multiplied up is missing (equation 3)")
def dup_is_dy(dy, cache):
    return swiglu_backward(dy, cache)[0], dy
