"""The benchmark of the kernels, with a clock that tells the time we want; the true one needs a GPU."""
import json
import os
import pathlib
import subprocess
import sys
import types

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system")

from kernels import _backend, benchmark
from kernels._program import Refused
from kernels.benchmark import Measurement
from kernels.benchmark_cases import BOTH, FORWARD, FUSED, KERNEL, SPELLED_OUT, Goal, cases, known

ROOT = pathlib.Path(__file__).parents[1]
DEVICE = "cpu" if _backend.INTERPRETED else "cuda"


def run(*arguments, **environment):
    return subprocess.run([sys.executable, "-m", "kernels.benchmark", *arguments], cwd=ROOT, text=True,
                          env=os.environ | environment, capture_output=True, timeout=120)


def clock(seconds):
    """Measures nothing: function() takes a time that goes by what it calls first, second ..."""
    times = iter(seconds)

    def measure(function):
        function()
        time = next(times)
        return time and Measurement(time, 0.9 * time, 1.1 * time, 2**20)
    return measure


def softmax_case(**changes):
    case = cases(["softmax"], small=True, dtypes=(torch.float32,))[0]
    return case._replace(functions={name: lambda x: 2 * x for name in (KERNEL, SPELLED_OUT, FUSED)}, **changes)


def goals_of(times, **changes):
    """What is said of the goals of the forward, where kernel, spelled out and fused take these seconds."""
    found = benchmark.records(softmax_case(**changes), clock([*times, 1, 1, 1]), "cpu", 1000, (8, 0))
    return found[0]["goals"]


def test_a_goal_of_bandwidth_is_reached_at_its_share_of_what_a_copy_moves():
    goals = goals_of((2, 9, 9), bytes=(1000, 0), goals=[Goal(FORWARD, "bandwidth", 0.5)])
    assert goals == [{"goal": "50% of bandwidth", "of_goal": 1.0}]


def test_a_goal_of_speed_beside_another_is_reached_at_its_multiple():
    assert goals_of((1, 9, 3), goals=[Goal(FORWARD, (FUSED,), 2.0)]) == [{"goal": f"2x {FUSED}", "of_goal": 1.5}]


def test_the_first_rival_that_is_here_is_the_measure():
    rivals = [Goal(FORWARD, ("flash_attn", FUSED), 0.5)]
    assert goals_of((2, 9, 1), goals=rivals) == [{"goal": f"0.5x {FUSED}", "of_goal": 1.0}]
    assert goals_of((2, 9, None), goals=rivals) == []


def test_a_goal_of_flops_is_that_of_the_gpu_that_is_here():
    goals = [Goal(FORWARD, "TFLOP/s", {(8, 0): 4}), Goal(FORWARD, "TFLOP/s", {(9, 0): 300})]
    assert goals_of((1, 9, 9), flops=(6e12, 0), goals=goals) == [{"goal": "4 TFLOP/s", "of_goal": 1.5}]


def test_a_goal_of_the_backward_is_not_one_of_the_forward():
    assert goals_of((1, 9, 3), goals=[Goal(BOTH, (FUSED,), 2.0)]) == []


def test_speeds_are_bytes_and_flops_by_the_median():
    first = benchmark.records(softmax_case(bytes=(8, 0), flops=(6, 0)), clock([2] * 6), "cpu", 1, None)[0]
    assert (first["bytes_per_second"], first["flops_per_second"], first["peak_bytes"]) == (4, 3, 2**20)
    assert (first["low"], first["seconds"], first["high"]) == (1.8, 2, 2.2)


def test_what_does_not_fit_into_memory_has_no_time():
    found = benchmark.records(softmax_case(), clock([1, None, 1, 1, 1, 1]), "cpu", 1, None)
    assert ["seconds" in record for record in found] == [True, False, True, True, True, True]
    assert "out of memory" in benchmark.table(found).splitlines()[2]


def test_a_copy_reads_and_writes_each_byte():
    assert benchmark.bandwidth(clock([2]), "cpu", count=1000) == 1000


def test_inputs_are_made_anew_for_each_function_so_that_none_can_spoil_those_of_another():
    seen = []

    def spoils(x):
        seen.append(x.sum().item())
        return x.detach().zero_().requires_grad_() + x
    case = softmax_case()._replace(functions={KERNEL: spoils, FUSED: spoils})
    benchmark.records(case, clock([1] * 4), "cpu", 1, None)
    assert len(seen) == 4
    assert len(set(seen)) == 1 != seen[0]


def measure_all(tmp_path, **options):
    args = types.SimpleNamespace(json=False, plot=None)
    vars(args).update(options)
    forever = clock(iter(lambda: 0.001, None))
    return benchmark.measure_all(known(), args, forever, DEVICE, small=True)


def test_the_table_fits_120_columns_and_shows_every_function_of_every_case(tmp_path, capsys):
    assert measure_all(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert sum(" us " in line for line in lines) == sum(2 * len(case.functions) for case in cases(known(), small=True))


def test_json_holds_the_same_records(tmp_path, capsys):
    measure_all(tmp_path, json=True)
    found = json.loads(capsys.readouterr().out)
    assert {record["module"] for record in found} == set(known())
    assert {record["seconds"] for record in found} == {0.001}


def test_the_plot_is_a_png_and_nothing_else_is_left(tmp_path):
    measure_all(tmp_path, plot=tmp_path / "speed.png")
    assert [path.name for path in tmp_path.iterdir()] == ["speed.png"]
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def fails(self, path, **options):
        path.write_bytes(b"half")
        raise OSError("the disk is full")
    (tmp_path / "speed.png").write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", fails)
    with pytest.raises(OSError, match="full"):
        measure_all(tmp_path, plot=tmp_path / "speed.png")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_without_a_gpu_there_is_one_line_that_says_how_to_run_it_and_status_2():
    done = run(CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "no GPU" in done.stderr
    assert "python -m kernels.benchmark" in done.stderr


@pytest.mark.parametrize(("arguments", "line"), [
    (["sofmax"], "no kernel 'sofmax'; did you mean softmax"),
    (["--plot", "no/such/folder/x.png"], "there is no folder no/such/folder"),
    (["--rounds"], "unrecognized arguments: --rounds; python -m kernels.benchmark --help shows all"),
])
def test_what_it_cannot_do_is_refused_in_words(arguments, line):
    with pytest.raises(Refused, match=line):
        benchmark.main(arguments)


def test_interpreted_kernels_are_not_timed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(_backend, "INTERPRETED", True)
    with pytest.raises(Refused, match="unset it"):
        benchmark.main([])


@pytest.mark.gpu
def test_on_a_gpu_it_measures(capsys):
    assert benchmark.main(["softmax", "--json"]) == 0
    assert all(record["seconds"] > 0 for record in json.loads(capsys.readouterr().out))
