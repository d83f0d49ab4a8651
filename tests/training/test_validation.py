"""Measurements on the validation part during fine-tuning: what they say, and that they change nothing."""

import json
import sys

import pytest
from projects import write_noise
from safetensors.torch import load_file

from kinefract.benchmarks import index
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.run_files import read_epochs
from kinefract.evaluation import evaluate
from kinefract.training import runs
from kinefract.training.checkpoint import Pauses, Stopped
from kinefract.training.train import Execution

CPU = Execution(accelerator="cpu")


class Killed(BaseException):
    pass


@pytest.fixture
def planned(tiny):
    """Return a function from settings to the spec of a fine-tuning from scratch on a validation part."""

    def one(benchmark=None, **changes):
        given = {"kind": "csv", "file": "videos.csv", "validation": 0.4}
        tiny["benchmarks"] = {"own": given if benchmark is None else benchmark}
        tiny["finetuning"]["small"] |= {"batch_size": 4, "epochs": 4, "rand_augment": None, **changes}
        tiny["studies"]["tiny"] |= {"benchmarks": ["own"], "seeds": [1], "vary": {"init": ["scratch"]}}
        return next(iter(plan.resolve(params.parse(tiny)).finetunes.values()))

    return one


@pytest.fixture
def finetune(planned, tmp_path, monkeypatch):
    """Return a function that fine-tunes with some settings, and returns the run's folder."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    lines = ["path,label,split", *(f"{line},train" for line in write_noise(tmp_path, range(16, 36)))]
    (tmp_path / "videos.csv").write_text("\n".join(lines))

    def one(execution=CPU, **changes):
        spec = planned(**changes)
        path = spec.write(tmp_path)
        if not (tmp_path / spec.benchmark.folder / "index.csv").exists():
            index.build(spec.benchmark.recipe, tmp_path, tmp_path / spec.benchmark.folder)
        runs.finetune(path, execution)
        return path.parent

    return one


def measured(folder):
    """Return the epochs of a run, without times."""
    kept = ("epoch", "lr", "loss", "top1", "grad_norm", "validation_top1")
    return [{key: line[key] for key in kept if key in line} for line in read_epochs(folder)]


def weights(folder):
    return {name: value.numpy().tobytes() for name, value in load_file(folder / "model.safetensors").items()}


@pytest.mark.parametrize("method", ["full", "linear_probe"])
def test_weights_and_metrics_are_the_same_to_the_bit_with_and_without(finetune, method):
    without, every = (finetune(method=method, evaluate_every=number) for number in (0, 1))
    assert weights(without) == weights(every)
    lines = measured(every)
    assert all(0 <= line.pop("validation_top1") <= 1 for line in lines)
    assert lines == measured(without)
    assert (without / "predictions.csv").read_text() == (every / "predictions.csv").read_text()


def test_the_last_measurement_is_the_result_where_a_video_has_one_window(finetune, capsys):
    folder = finetune(Execution(workers=1, accelerator="cpu"), evaluate_every=2, windows=1)
    lines = measured(folder)
    assert [line["epoch"] for line in lines if "validation_top1" in line] == [2, 4]
    top1 = json.loads((folder / "result.json").read_text())["top1"]
    assert lines[-1]["validation_top1"] == top1
    said = [line for line in "".join(capsys.readouterr()).splitlines() if "validation top-1" in line]
    assert len(said) == 2 and said[-1].endswith(f"validation top-1 {100 * top1:.1f} %")


def test_a_run_stopped_or_killed_amid_a_measurement_goes_on_with_each_epoch_once(finetune, monkeypatch):
    alone = finetune(evaluate_every=2)
    expected, as_alone = measured(alone), weights(alone)
    for name in ("model.safetensors", "metrics.jsonl", "result.json"):
        (alone / name).unlink()
    measure, calls = evaluate.validation_top1, []

    def killed(*args):
        calls.append(measure(*args))
        raise Killed

    monkeypatch.setattr(runs, "validation_top1", killed)
    with pytest.raises(Killed):
        finetune(evaluate_every=2)
    assert len(read_epochs(alone, "progress.jsonl")) == 1
    monkeypatch.setattr(runs, "validation_top1", lambda *args: calls.append(measure(*args)) or calls[-1])
    for _ in range(9):  # each ends its epoch and makes one step
        try:
            finetune(Execution(accelerator="cpu", pauses=Pauses(limit=0.0)), evaluate_every=2)
        except Stopped:
            continue
        break
    assert measured(alone) == expected and weights(alone) == as_alone
    assert len(calls) == 3 and calls[0] == calls[1]  # that of epoch 2 was made again


@pytest.mark.parametrize(
    "benchmark",
    [
        {"kind": "motions"},
        {"kind": "csv", "file": "videos.csv"},
        {"kind": "csv", "file": "videos.csv", "folds": 3},
        {"kind": "volleyball"},
    ],
)
def test_no_epoch_is_measured_on_test_videos(planned, benchmark):
    with pytest.raises(UserError, match=rf"evaluate_every: this benchmark \({benchmark['kind']}\) has no"):
        planned(benchmark, evaluate_every=1)
    planned(benchmark, evaluate_every=0)


@pytest.mark.parametrize(
    "benchmark",
    [
        {"kind": "csv", "file": "videos.csv", "validation": "given"},
        {"kind": "csv", "file": "videos.csv", "validation": {"folds": 3}},
        {"kind": "ucf101", "root": "ucf101", "validation": 0.2},
        {"kind": "volleyball", "validation": True},
    ],
)
def test_every_kind_of_validation_part_can_be_measured(planned, benchmark):
    assert planned(benchmark, evaluate_every=1).recipe.evaluate_every == 1


def test_more_epochs_between_measurements_than_there_are_is_an_error(planned):
    with pytest.raises(UserError, match="evaluate_every: 5 is more than 4 epochs"):
        planned(evaluate_every=5)
