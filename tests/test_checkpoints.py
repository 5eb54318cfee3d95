"""A checkpoint is whole or not there at all, whenever the process dies; and what was damaged is noticed."""
import errno
import os
import pathlib
import shutil

import pytest
from tiny import LETTERS, number_in, numbered, record, start

from minigpt import checkpoints
from minigpt.errors import InputError
from minigpt.runs import load_run, refuse_other_run, resume_run


class Killed(BaseException):
    """No code runs after it, not even in `except` and `finally`."""


def die_at(monkeypatch, call):
    """From this call on, no function changes anything on the disk any more: the process is dead."""
    calls = iter(range(10**6))

    def mortal(function):
        def wrapped(*args, **kwargs):
            if next(calls) >= call:
                raise Killed
            return function(*args, **kwargs)
        return wrapped

    for owner, name in ((os, "replace"), (os, "fsync"), (pathlib.Path, "mkdir"), (pathlib.Path, "rmdir"),
                        (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, mortal(getattr(owner, name)))


def test_a_process_may_die_at_any_moment_of_a_checkpoint(tmp_path):
    outcomes = []
    for call in range(100):
        folder = tmp_path / str(call)
        run, _, _ = start(folder)
        run.save(1, *numbered(1))
        with pytest.MonkeyPatch.context() as patch:
            die_at(patch, call)
            try:
                run.save(2, *numbered(2))
                break
            except Killed:
                pass
        loaded, _, _ = load_run(folder)                # reading does not repair, and must not need to
        outcomes.append(number_in(folder))
        assert {int(value) for p in loaded.parameters() for value in p.flatten()} == {outcomes[-1]}
        resume_run(folder)[0].save(3, *numbered(3))
        assert number_in(folder) == 3
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {1, 2}
    assert len(outcomes) > 8


def test_a_process_may_die_at_any_moment_of_overwriting_another_run(tmp_path):
    outcomes = []
    for call in range(100):
        folder = tmp_path / str(call)
        run, _, _ = start(folder)
        run.save(1, *numbered(1))
        run.log(record(0))
        with pytest.MonkeyPatch.context() as patch:
            die_at(patch, call)
            try:
                start(folder, letters="klmnopqrst")[0].save(2, *numbered(2))
                break
            except Killed:
                pass
        _, tokenizer, config = load_run(folder)
        records = len(resume_run(folder)[-1])
        outcomes.append((number_in(folder), config.corpus["name"], tokenizer.decode([2]), records))
    assert set(outcomes) == {(1, LETTERS, "a", 1), (2, "klmnopqrst", "k", 0)}


def test_a_process_may_die_at_any_moment_of_its_first_checkpoint(tmp_path):
    whole = []
    for call in range(100):
        folder = tmp_path / str(call)
        with pytest.MonkeyPatch.context() as patch:
            die_at(patch, call)
            try:
                start(folder)[0].save(1, *numbered(1))
                break
            except Killed:
                pass
        try:
            whole.append(number_in(folder) == 1)
        except InputError:
            whole.append(False)
            refuse_other_run(folder)                   # nothing is there, so the same command may run again
            start(folder)[0].save(1, *numbered(1))
            assert number_in(folder) == 1
    assert whole == sorted(whole)
    assert set(whole) == {False, True}


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def shift(path):
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))


@pytest.mark.parametrize("damage", [cut, empty, flip, shift, pathlib.Path.unlink])
@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "state.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_named(tmp_path, file, damage):
    start(tmp_path)[0].save(1, *numbered(1))
    damage(tmp_path / file)
    with pytest.raises(InputError) as caught:
        resume_run(tmp_path)
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_two_steps_is_refused(tmp_path):
    run, _, _ = start(tmp_path)
    run.save(1, *numbered(1))
    old = (tmp_path / "state.safetensors").read_bytes()
    run.save(2, *numbered(2))
    (tmp_path / "state.safetensors").write_bytes(old)
    with pytest.raises(InputError, match=r"model.safetensors is of step 2 and .*state.safetensors of step 1"):
        resume_run(tmp_path)


def test_a_checkpoint_of_two_runs_is_refused(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        start(tmp_path / name, seed=seed)[0].save(1, *numbered(1))
    shutil.copy(tmp_path / "a/model.safetensors", tmp_path / "b")
    with pytest.raises(InputError, match=r"model.safetensors does not belong to .*config.json"):
        load_run(tmp_path / "b")


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_leaves_the_checkpoint_before_and_its_space(tmp_path, monkeypatch, call):
    run, _, _ = start(tmp_path)
    run.save(1, *numbered(1))
    calls = iter(range(10))

    def full(path, data):
        path.write_bytes(data[:100])
        if next(calls) + 1 == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(checkpoints, "write_durably", full)
    with pytest.raises(InputError, match=r"step 2.*No space left on device; that of step 1 is whole"):
        run.save(2, *numbered(2))
    monkeypatch.undo()
    assert number_in(tmp_path) == 1
    assert not any(path.is_dir() for path in tmp_path.iterdir())
