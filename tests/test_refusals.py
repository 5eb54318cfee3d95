"""What a refusal says, in the reference and in its twins: what is wrong, the value, the way out."""
import importlib
import re

import numpy as np
import pytest
import torch

GPT = np.zeros((1, 2, 4))
MHA = {f"{name}.weight": np.zeros((4, 4)) for name in ("query", "key", "value", "output")}
ROW = np.zeros((1, 3))

CASES = [
    ("attention", "attention", (np.zeros((1, 4, 2, 3)), np.zeros((1, 3, 2, 3)), np.zeros((1, 3, 2, 3))), {}, ValueError,
     "4 query heads cannot share 3 key heads: 3 does not divide 4"),
    ("attention", "attention", (np.zeros((1, 4, 2, 3)), np.zeros((1, 0, 2, 3)), np.zeros((1, 0, 2, 3))), {}, ValueError,
     "4 query heads cannot share 0 key heads: 0 does not divide 4"),
    ("cross_entropy", "cross_entropy", (ROW, np.array([3])), {}, IndexError,
     "target 3 is not one of V=3 tokens (0 to 2), nor ignore_index=-100"),
    ("dropout", "dropout", (ROW, 1.0), {}, ValueError,
     "dropout rate=1.0 must be a probability from 0 to below 1; try 0.1"),
    ("embedding", "embedding", (np.array([3]), np.zeros((3, 2))), {}, IndexError,
     "id 3 is outside the table: it has V=3 rows, 0 to 2"),
    ("generation", "next_token_probabilities", (ROW,), {"temperature": -1.0}, ValueError,
     "temperature=-1.0 must be at least 0; 0 always takes the likeliest token, try 0.8"),
    ("generation", "next_token_probabilities", (ROW,), {"top_k": 0}, ValueError,
     "top_k=0 must be at least 1; leave it out to keep all tokens"),
    ("generation", "next_token_probabilities", (ROW,), {"top_p": 1.5}, ValueError,
     "top_p=1.5 must lie above 0 and at most at 1; leave it out to keep all tokens"),
    ("generation", "next_token_probabilities", (ROW * np.nan,), {}, ValueError,
     "the largest logit is nan: no distribution to draw from; did training diverge? Take an earlier checkpoint, or a "
     "lower learning rate"),
    ("generation", "generate", (None, np.zeros(0, dtype=int)), {"max_new_tokens": 1, "context_length": 8}, ValueError,
     "nothing to continue: ids is empty; begin with at least one token"),
    ("multi_head_attention", "multi_head_attention", (GPT, MHA), {"n_head": 3}, ValueError,
     "each must divide the one before: d_model=4, n_head=3, n_kv_head=3"),
    ("optimisers", "adamw", ([], [], [], [], 0), {"lr": 0.1}, ValueError, "step=0: the steps of adamw count from 1"),
    ("optimisers", "clip_gradients", ([ROW], 0.0), {}, ValueError,
     "max_norm=0.0 must be greater than 0; to clip nothing, leave the call out"),
    ("rope", "rope", (np.zeros((1, 1, 2, 3)), np.arange(2)), {}, ValueError,
     "rope needs an even D and a position for each t: D=3, T=2, and positions of shape (2,)"),
]


def as_tensors(value):
    if isinstance(value, list):
        return [as_tensors(v) for v in value]
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def ask(function, args, options):
    next(function(*args, **options))                   # generate refuses when the first token is asked for


@pytest.mark.parametrize(("concept", "name", "args", "options", "kind", "says"), CASES)
def test_the_reference_says(concept, name, args, options, kind, says):
    room = vars(importlib.import_module(f"minigpt.reference.{concept}"))
    with pytest.raises(kind, match=f"^{re.escape(says)}$"):
        ask(room.get(f"{name}_forward") or room[name], args, options)


@pytest.mark.parametrize(("concept", "name", "args", "options", "kind", "says"),
                         [case for case in CASES if case[0] != "multi_head_attention"])       # in PyTorch, a class
def test_the_twin_says_the_same(concept, name, args, options, kind, says):
    function = getattr(importlib.import_module(f"minigpt.{concept}"), name)
    with pytest.raises(kind, match=f"^{re.escape(says)}$"):
        ask(function, map(as_tensors, args), options)
