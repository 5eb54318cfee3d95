"""Pictures: one plot style for all lessons, and alt text for every picture.

    fig, ax = figure()
    ax.plot(losses)
    show(fig, alt="The loss falls from 8.3 to 4.1 nats per token in 200 steps.")

The colours are Okabe and Ito's, which colour-blind readers can tell apart. A drawing function returns its
figure; `show` displays one in a notebook, `save` writes one to a file.
"""
import base64
import io
import json
import os
import warnings
from html import escape
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as Curve
from matplotlib.ticker import MaxNLocator
from PIL import Image  # comes with matplotlib, which writes PNG with it

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
DPI = 110
# each for the signs that those before it lack
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei")


def style():
    """Matplotlib's settings for our pictures; use as `with style(): ...` where you draw texts of your own."""
    installed = set(get_font_names())
    return matplotlib.rc_context({
        "font.family": [font for font in FONTS if font in installed] or ["sans-serif"], "font.size": 11,
        "axes.titlesize": 12, "axes.prop_cycle": matplotlib.cycler(color=COLOURS), "axes.spines.top": False,
        "axes.spines.right": False, "figure.facecolor": "white", "text.parse_math": False, "image.cmap": "cividis"})


def figure(width=7.0, height=3.6, rows=1, columns=1):
    """An empty figure in our style, and its axes (an array of them if there are several). Sizes in inches."""
    with style():
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns)


def save(fig, path):
    """Write a figure as PNG, whole or not at all."""
    part = Path(path).with_name(f".{Path(path).name}.{os.getpid()}")
    try:
        part.write_bytes(_png(fig))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def show(fig, alt):
    """Display a figure in a notebook, and under it, folded, the alt text: what it shows, in words.

    Raises ValueError if alt is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the picture shows")
    from IPython.display import display  # only notebooks need it, and only they have it
    display(Picture(_png(fig), alt))
    display(Words(alt))


class Picture:
    """A PNG with its alt text, for IPython's display."""

    def __init__(self, png, alt):
        self.png, self.alt = png, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": repr(self)}
        return data, {"image/png": {"alt": self.alt}}

    def __repr__(self):
        return f"[picture: {self.alt}]"


class Words:
    """The alt text itself, since several notebook viewers drop the alt of an image."""

    def __init__(self, alt):
        self.alt = alt

    def _repr_html_(self):
        return f"<details><summary>This picture in words</summary>{escape(self.alt)}</details>"


def visible(token, longest=14):
    """A token as a label: spaces and newlines become visible signs, long ones are cut."""
    text = token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return text if len(text) <= longest else text[:longest - 1] + "…"


def loss_curve(metrics, path=None):
    """Draw training and validation loss over the steps of a run; into the file `path`, if there is one.

    metrics: a run's `metrics.jsonl`, or its records: dicts with step, train_loss, val_loss (nats per token).
    """
    if isinstance(metrics, str | os.PathLike):
        metrics = [json.loads(line) for line in Path(metrics).read_text("utf-8").splitlines() if line.strip()]
    fig, ax = figure()
    for name, colour, marker in (("train", SKY, ""), ("val", BLUE, "o")):
        points = [(m["step"], m[f"{name}_loss"]) for m in metrics if m.get(f"{name}_loss") is not None]
        if points:
            ax.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4,
                    label={"train": "training", "val": "validation"}[name])
    ax.set(xlabel="step", ylabel="loss (nats per token)")
    if ax.lines:
        ax.legend(frameon=False)
    if path is not None:
        save(fig, path)
    return fig


def heat_map(matrix, row_labels=None, column_labels=None, ax=None, title="", limits=None):
    """Draw a matrix, dark = 0: attention weights, one row per query; NaN stays grey.

    matrix: (T,S). Draws into `ax` if given. Small matrices show their numbers. limits: (darkest, brightest).
    """
    matrix = np.asarray(matrix, float)
    fig, ax = (ax.figure, ax) if ax is not None else figure(5.4, 4.6)
    with style():
        ax.set_facecolor("#BBBBBB")
        image = ax.imshow(matrix, clim=limits or (min(0, np.nanmin(matrix)), np.nanmax(matrix)))
        _tick(ax.xaxis, column_labels, rotation=90)
        _tick(ax.yaxis, row_labels)
        ax.set_title(title)
        if matrix.size <= 64:
            for (row, column), value in np.ndenumerate(np.nan_to_num(matrix)):
                bright = value > image.norm.vmin + 0.6 * (image.norm.vmax - image.norm.vmin)
                ax.text(column, row, f"{value:.2f}", ha="center", va="center", size=9,
                        color="black" if bright else "white")
    return fig


def bars(labels, values, x_label="probability", title=""):
    """Draw one bar per label, the first on top, with its value: probabilities of the next token."""
    fig, ax = figure(6.0, 0.8 + 0.32 * len(labels))
    with style():
        drawn = ax.barh(range(len(labels)), values, color=BLUE)
        ax.bar_label(drawn, [f"{value:.3f}" for value in values], padding=3)
        _tick(ax.yaxis, labels)
        ax.invert_yaxis()
        ax.margins(x=0.12)
        ax.set(xlabel=x_label, title=title)
    return fig


def attention_arrows(tokens, weights, query=-1, title=""):
    """Draw one row of attention: an arrow from the query's token to each token that it looks at.

    tokens: T strings; weights: (T,) probabilities, written under the tokens; more = thicker and darker.
    """
    query = range(len(tokens))[query]
    fig, ax = figure(max(4.0, 0.95 * len(tokens)), 2.8)
    with style():
        for at, (token, weight) in enumerate(zip(tokens, weights, strict=True)):
            ax.text(at, -0.1, visible(token, 9), ha="center", va="top", weight="bold" if at == query else None)
            ax.text(at, -0.45, f"{weight:.2f}", ha="center", va="top", size=9, color=BLUE)
            if weight >= 0.005:                        # what would be written as 0.00 gets no arrow
                ax.add_patch(_arrow(query, at, float(weight)))
        ax.set(xlim=(-0.6, len(tokens) - 0.4), ylim=(-0.8, 0.9 + 0.25 * len(tokens)), title=title)
        ax.axis("off")
    return fig


def _arrow(start, end, weight):
    """An arch from one token to another, higher the farther; a loop from a token to itself."""
    height = 0.7 + 0.45 * abs(end - start)
    lean = 0.5 if start == end else 0.0
    curve = [(start + lean / 4, 0), (start + lean, height), (end - lean, height), (end - lean / 4, 0)]
    path = Curve(curve, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    return FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=8 + 8 * weight, color=BLUE,
                           linewidth=0.8 + 5 * weight, alpha=0.25 + 0.75 * weight)


def _tick(axis, labels, **options):
    if labels is not None:
        axis.set_ticks(range(len(labels)), [visible(label) for label in labels], **options)
    else:
        axis.set_major_locator(MaxNLocator(integer=True))


def _png(fig):
    """PNG bytes in at most 128 colours: a third of the size, and nobody sees the difference."""
    buffer = io.BytesIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")     # a token in a script that no installed font has
        fig.savefig(buffer, format="png", dpi=DPI)
    picture, small = Image.open(buffer).convert("RGB"), io.BytesIO()
    picture.quantize(128).save(small, format="png", optimize=True)
    return small.getvalue()
