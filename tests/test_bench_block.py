"""The benchmark of the block: it changes one thing at a time, and nothing that it does not name."""
from dataclasses import asdict

import numpy as np
import pytest

from minigpt.benchmarks.block import CHANGES, OLD, SIZE, ladder, n_parameters, of_size, table, without
from minigpt.benchmarks.block import run as block_bench
from minigpt.benchmarks.train import Curve
from minigpt.config import TransformerConfig


def settings(pair):
    """All that describes a rung, without the width that pays for it."""
    model, train = (asdict(part) for part in pair)
    return {key: value for key, value in (model | train).items() if key != "d_ff"}


def test_each_rung_of_the_ladder_adds_its_change_and_nothing_else():
    rungs = list(ladder(66, **SIZE).values())
    assert len(rungs) == 1 + len(CHANGES)
    for before, after, change in zip(rungs, rungs[1:], CHANGES.values(), strict=False):
        different = {key for key, value in settings(after).items() if settings(before)[key] != value}
        assert different == set(change)


def test_a_block_without_one_change_has_all_others():
    today = settings(list(ladder(66, **SIZE).values())[-1])
    for block, change in zip(without(66, **SIZE).values(), CHANGES.values(), strict=True):
        assert {key for key, value in settings(block).items() if today[key] != value} == set(change)


def test_every_block_has_as_many_parameters_as_the_old_one():
    blocks = ladder(66, **SIZE) | without(66, **SIZE)
    goal = n_parameters(blocks[OLD][0])
    assert max(abs(n_parameters(model) / goal - 1) for model, _ in blocks.values()) < 0.002


@pytest.mark.parametrize("feed_forward", ["gelu", "swiglu"])
def test_the_width_is_found_that_gives_a_number_of_parameters(feed_forward):
    config = TransformerConfig(vocab_size=20, n_layer=2, d_model=16, n_head=2, d_ff=50, feed_forward=feed_forward)
    assert of_size(config, n_parameters(config)).d_ff == 50
    assert of_size(of_size(config, 10_000), n_parameters(config)).d_ff == 50


def test_a_block_that_never_gets_there_says_so():
    def curve(losses):
        return Curve("", 0, np.arange(3), np.array([0.0, 5.0, 10.0]), np.array(losses), 30, 7, 1)
    text = table({OLD: [curve([4.0, 3.0, 2.0])], "quick": [curve([4.0, 2.0, 1.0])], "slow": [curve([4.0, 3.5, 3.0])]})
    quick, slow = text.splitlines()[3:5]
    assert "50%" in quick
    assert "not reached" in slow


@pytest.mark.slow
def test_every_block_is_trained_with_every_seed(monkeypatch, capsys):
    ids, held_out = (np.random.default_rng(0).integers(10, size=n).astype(np.int32) for n in (2000, 700))
    monkeypatch.setattr("minigpt.benchmarks.block.characters", lambda: (ids, held_out, 10))
    curves = block_bench(rounds=2, steps=2, rates=(1e-3,), n_layer=1, n_head=2, d_model=16, context_length=8)
    assert len(curves) == 1 + 2 * len(CHANGES)
    assert {tuple(curve.seed for curve in several) for several in curves.values()} == {(0, 1)}
    assert "without Muon" in capsys.readouterr().out
