"""Pictures: what is drawn is what was given, and every picture has alt text."""
import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from minigpt import pictures

RECORDS = [{"step": 0, "train_loss": 3.0, "val_loss": 3.5}, {"step": 10, "train_loss": 2.0, "val_loss": None}]


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would display."""
    outputs = []
    monkeypatch.setattr("IPython.display.display", outputs.append)
    return outputs


def test_a_shown_picture_carries_its_alt_text(shown):
    pictures.show(pictures.bars(["a"], [1.0]), alt="One bar.")
    assert shown[0]._repr_mimebundle_()[1] == {"image/png": {"alt": "One bar."}}


def test_the_alt_text_can_be_read_under_the_picture(shown):
    pictures.show(pictures.bars(["a"], [1.0]), alt="One <bar>.")
    assert "One &lt;bar&gt;." in shown[1]._repr_html_()


def test_a_picture_without_alt_text_is_refused(shown):
    with pytest.raises(ValueError, match="alt is empty"):
        pictures.show(pictures.bars(["a"], [1.0]), alt=" ")


def test_a_shown_picture_is_a_small_png(shown):
    pictures.show(pictures.heat_map(np.random.default_rng(0).random((64, 64))), alt="Noise.")
    png = base64.b64decode(shown[0]._repr_mimebundle_()[0]["image/png"])
    assert Image.open(io.BytesIO(png)).size > (300, 300)
    assert len(png) < 60_000


def test_bars_are_as_long_as_their_values():
    ax = pictures.bars(["x", "y"], [0.25, 0.75]).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [0.25, 0.75]


def test_the_first_bar_is_on_top():
    assert pictures.bars(["x", "y"], [0.25, 0.75]).axes[0].yaxis_inverted()


def test_a_heat_map_shows_the_matrix():
    matrix = np.array([[1.0, 0.0], [0.4, 0.6]])
    np.testing.assert_array_equal(pictures.heat_map(matrix).axes[0].images[0].get_array(), matrix)


def test_a_heat_map_draws_into_the_axes_it_is_given():
    fig, axes = pictures.figure(columns=2)
    assert pictures.heat_map(np.eye(2), ax=axes[1]) is fig
    assert (len(axes[0].images), len(axes[1].images)) == (0, 1)


def test_heat_maps_with_the_same_limits_have_the_same_colours():
    low, high = (pictures.heat_map(np.full((2, 2), x), limits=(0.4, 1)).axes[0].images[0] for x in (0.5, 0.9))
    assert low.get_clim() == high.get_clim() == (0.4, 1)
    assert pictures.heat_map(np.eye(2) / 2).axes[0].images[0].get_clim() == (0, 0.5)


def test_a_heat_map_with_holes_is_drawn(tmp_path):
    pictures.save(pictures.heat_map(np.array([[1.0, np.nan]])), tmp_path / "map.png")
    assert Image.open(tmp_path / "map.png").format == "PNG"


def test_an_arrow_goes_to_each_token_with_a_weight():
    fig = pictures.attention_arrows(["a", "b", "c"], [0.7, 0.3, 0.0], query=1)
    assert len(fig.axes[0].patches) == 2


def test_a_larger_weight_has_a_thicker_arrow():
    thick, thin = pictures.attention_arrows(["a", "b"], [0.7, 0.3]).axes[0].patches
    assert thick.get_linewidth() > thin.get_linewidth()


def test_tokens_and_weights_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        pictures.attention_arrows(["a", "b"], [1.0])


def test_spaces_and_newlines_of_a_token_are_visible():
    assert pictures.visible(" a\n") == "␣a⏎"


def test_a_long_token_is_cut():
    assert pictures.visible("x" * 30, longest=5) == "xxxx…"


def test_a_dollar_is_no_formula(tmp_path):
    pictures.save(pictures.bars(["$x_1"], [1.0], title="$\\bad$"), tmp_path / "dollar.png")
    assert (tmp_path / "dollar.png").exists()


def test_a_loss_curve_has_a_line_per_loss_and_skips_what_was_not_measured():
    train, val = pictures.loss_curve(RECORDS).axes[0].lines
    assert (list(train.get_ydata()), list(val.get_ydata())) == ([3.0, 2.0], [3.5])


def test_a_loss_curve_is_drawn_from_a_runs_file_as_from_its_records(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, RECORDS)), encoding="utf-8")
    lines = pictures.loss_curve(tmp_path / "metrics.jsonl").axes[0].lines
    assert list(lines[0].get_ydata()) == [3.0, 2.0]


def test_the_loss_curve_of_a_run_without_records_is_an_empty_plot(tmp_path):
    assert len(pictures.loss_curve([], tmp_path / "curve.png").axes[0].lines) == 0


def test_saving_leaves_the_picture_and_nothing_else(tmp_path):
    pictures.loss_curve(RECORDS, tmp_path / "curve.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]


def test_drawing_leaves_matplotlibs_settings_as_they_were():
    import matplotlib
    before = dict(matplotlib.rcParams)
    pictures.bars(["a"], [1.0])
    assert dict(matplotlib.rcParams) == before
