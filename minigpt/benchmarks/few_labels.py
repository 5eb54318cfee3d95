"""How good a classifier becomes from few labels: MiniLM fine-tuned beside classifiers that count words, on R8.

Every draw is judged on the same test part, and all see the same labelled texts. Accuracies are medians over the
draws; `wins` counts the draws in which a method is ahead of each of the word counters. The labels of the validation
part are not used: with few labels a class they would be more than all others.
"""
import statistics

from minigpt.classification_baselines import baselines
from minigpt.data.tasks import few, load_task
from minigpt.finetune_jobs import new_finetuning, settings_of
from minigpt.finetuned_runs import load_start

SIZES = (8, 16, 32, 64)
OURS = "MiniLM, "


def run(*, rounds=5, task="r8", sizes=SIZES, methods=("head",)):
    """Fine-tune with so many labels a class, `rounds` draws each, and print a table.

    Returns {name: {size: [accuracy of each draw]}}.
    """
    whole, found = load_task(task), {}
    for size in sizes:
        for seed in range(rounds):
            for name, accuracy in one_draw(few(whole, size, seed), methods, seed, size):
                found.setdefault(name, {}).setdefault(size, []).append(accuracy)
                print(f"{size} labels a class, draw {seed}: {name} {accuracy:.4f}", flush=True)
    print(table(found, len(whole.test)))
    return found


def one_draw(task, methods, seed, size):
    """(name, accuracy on the test part) of each classifier that learns from this task's training part."""
    for each in baselines(task):
        yield each.name, each.accuracy
    for method in methods:
        job = new_finetuning(task, load_start("minilm"), method, settings_of(method, len(task.train), seed=seed),
                             per_class=size)
        job.train()
        yield OURS + method, job.judge()[0].accuracy


def table(found, n_test):
    """A line for each classifier: its median at each number of labels, and the draws in which ours beats all others."""
    sizes = list(next(iter(found.values())))
    lines = [f"{'labels a class':<30}" + "".join(f"{size:>8}" for size in sizes)]
    lines += [f"{name:<30}" + "".join(f"{statistics.median(found[name][size]):8.3f}" for size in sizes)
              for name in found]
    for name in found:
        if name.startswith(OURS):
            won = [wins(found, name, size) for size in sizes]
            lines.append(f"{name + ', wins':<30}" + "".join(f"{one:>8}" for one in won))
    draws = len(next(iter(found.values()))[sizes[0]])
    return "\n".join([*lines, f"medians of {draws} draws; judged on {n_test:,} texts"])


def wins(found, name, size):
    """In how many draws a classifier of ours is ahead of each that is not."""
    others = [accuracies[size] for other, accuracies in found.items() if not other.startswith(OURS)]
    return sum(ours > max(rest) for ours, *rest in zip(found[name][size], *others, strict=True))
