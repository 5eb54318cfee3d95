"""Pictures of classifiers: what is taken for what, and how far their probabilities can be trusted."""
import numpy as np

from minigpt.pictures import BLUE, RED, figure, style, visible


def confusion_picture(matrix, labels, title=""):
    """Draw a confusion matrix: a row is a label, a column what it was taken for, the colour its share of the row.

    matrix: (K,K) counts. labels: K names. Every cell shows its count, but for 0; up to 20 classes.
    """
    matrix = np.asarray(matrix)
    K, shares = len(labels), matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(3.2, 1.6 + 0.52 * min(K, 30))
    fig, ax = figure(side + 0.6, side)
    with style():
        ax.imshow(shares, vmin=0, vmax=1)
        names = [visible(str(label)) for label in labels]
        ax.set_xticks(range(K), names, rotation=45 if K > 2 else 0, ha="right" if K > 2 else "center")
        ax.set_yticks(range(K), names)
        ax.set(xlabel="taken for", ylabel="label", title=title)
        if K <= 20:
            for (row, column), count in np.ndenumerate(matrix):
                if count:
                    ax.text(column, row, f"{count:,}", ha="center", va="center", size=9,
                            color="black" if shares[row, column] > 0.6 else "white")
    return fig


def reliability_picture(n, conf, acc, title=""):
    """Draw how often a classifier is right over how sure it is: a calibrated one lies on the diagonal.

    n, conf, acc: (M,) of the bins, as `reliability` gives them; a larger dot stands for more texts.
    """
    n, conf, acc = (np.asarray(x, float) for x in (n, conf, acc))
    fig, ax = figure(4.2, 4.0)
    with style():
        ax.plot([0, 1], [0, 1], color=BLUE, linewidth=1, label="calibrated")
        there = n > 0
        ax.scatter(conf[there], acc[there], s=20 + 400 * n[there] / n.sum(), color=RED, alpha=0.7)
        ax.set(xlabel="how sure (probability)", ylabel="how often right", xlim=(0, 1.02), ylim=(0, 1.05), title=title)
        ax.legend(frameon=False, loc="upper left")
    return fig
