"""The benchmark of few labels: all see the same texts, and a win is a win over every counter."""
from dataclasses import replace
from types import SimpleNamespace

import pytest

from minigpt import pretrained
from minigpt.benchmarks import few_labels
from minigpt.data.fetch import Unavailable
from minigpt.data.tasks import few, load_task

FOUND = {"majority": {2: [0.2, 0.2, 0.2], 4: [0.2, 0.2, 0.2]},
         "TF-IDF, linear SVM": {2: [0.5, 0.7, 0.6], 4: [0.8, 0.8, 0.9]},
         "MiniLM, head": {2: [0.6, 0.7, 0.9], 4: [0.7, 0.9, 0.8]}}


def test_a_win_is_over_all_counters_in_the_same_draw_and_a_tie_is_none():
    assert few_labels.wins(FOUND, "MiniLM, head", 2) == 2
    assert few_labels.wins(FOUND, "MiniLM, head", 4) == 1


def test_the_table_shows_medians_and_wins():
    lines = few_labels.table(FOUND, 1234).splitlines()
    assert lines[2].split()[-2:] == ["0.600", "0.800"]
    assert lines[3].split()[-2:] == ["0.700", "0.800"]
    assert lines[4].split() == ["MiniLM,", "head,", "wins", "2", "1"]
    assert lines[5] == "medians of 3 draws; judged on 1,234 texts"


def test_the_same_draw_is_the_same_for_all_and_another_is_another(monkeypatch):
    seen, counter = [], SimpleNamespace(name="a counter", accuracy=0.5)
    monkeypatch.setattr(few_labels, "baselines", lambda task: seen.append(task) or [counter])
    few_labels.run(rounds=2, task="docstrings", sizes=(2,), methods=())
    whole = load_task("docstrings")
    assert [task.train for task in seen] == [few(whole, 2, seed).train for seed in (0, 1)]
    assert seen[0].train != seen[1].train


@pytest.mark.slow
@pytest.mark.download
def test_minilm_is_fine_tuned_and_judged_beside_the_counters(require_data):
    try:
        pretrained.load("minilm")
    except Unavailable as error:
        require_data(error)
    task = few(load_task("docstrings"), 2, 0)
    task = replace(task, test=task.test[:40])
    scores = dict(few_labels.one_draw(task, ("head",), 0, 2))
    assert {"majority", "TF-IDF, linear SVM", "MiniLM, head"} <= set(scores)
    assert all(0 <= accuracy <= 1 for accuracy in scores.values())
