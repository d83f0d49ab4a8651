"""The protocol: softmax averaged over windows, figures over videos, and the files they leave."""

import csv
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kinefract import video
from kinefract.augment.basic import normalise
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.config.phases import FinetuneRecipe
from kinefract.evaluation.evaluate import evaluate, scores

CLASSES = [f"class {label}" for label in range(6)]
RECIPE = FinetuneRecipe(
    size=32, resize=40, stride=2, frames=4, windows=3, epochs=1, warmup_epochs=0, threads=1
)


class Probe(nn.Module):
    """Logits that depend on the clip: the mean of each frame through a fixed matrix."""

    def __init__(self, classes=6):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(4, classes, generator=torch.Generator().manual_seed(1)))

    def forward(self, clips):
        return clips.mean((2, 3, 4)) @ self.matrix


def videos(folder, lengths=(20, 4, 33), name='v{}, "odd" näme.mp4'):
    rng = np.random.Generator(np.random.Philox(1))
    entries = []
    for number, frames in enumerate(lengths):
        path = folder / name.format(number)
        levels = rng.integers(0, 256, frames, dtype=np.uint8)
        path.write_bytes(
            video.encode(np.broadcast_to(levels[:, None, None], (frames, 48, 64)).copy(), 12, 10)
        )
        facts = {"frames": frames, "fps": 12.0, "width": 64, "height": 48, "start": 0, "end": frames}
        entries.append(Video(path=path, label=number, class_name=f"class {number}", split="test", **facts))
    return entries


def read_csv(path):
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return list(csv.DictReader(stream))


def test_scores_are_the_mean_softmax_over_windows(tmp_path):
    entries, model = videos(tmp_path), Probe()
    got = scores(model, entries, RECIPE, 0, "test")
    for entry, result in zip(entries, got, strict=True):
        frames = video.decode(entry.path)
        room = max(0, entry.frames - 7)
        starts = sorted({round(room * part) for part in (0, 0.5, 1)})
        softmaxes = []
        for start in starts:
            numbers = [min(start + 2 * step, entry.frames - 1) for step in range(4)]
            clip = torch.from_numpy(frames[numbers]).permute(0, 3, 1, 2)[None]
            softmaxes.append(model(normalise(clip)).softmax(1))
        assert np.allclose(result, torch.cat(softmaxes).mean(0).detach().numpy(), atol=2e-3)
        assert abs(result.sum() - 1) < 1e-5


def test_workers_change_nothing(tmp_path):
    entries = videos(tmp_path)
    alone, read_by_two = (scores(Probe(), entries, RECIPE, workers, "test") for workers in (0, 2))
    assert np.array_equal(alone, read_by_two)


def test_scores_that_are_no_numbers_are_refused(tmp_path):
    model = Probe()
    with torch.no_grad():
        model.matrix[0, 3] = torch.nan
    with pytest.raises(UserError, match="3 of 3 videos the network's scores are not finite"):
        scores(model, videos(tmp_path), RECIPE, 0, "test")


def test_a_gpu_that_is_not_there_is_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees none"):
        scores(Probe(), videos(tmp_path), RECIPE, 0, "test", "cuda")


def test_predictions_agree_with_the_figures(tmp_path):
    entries = videos(tmp_path)
    figures = evaluate(Probe(), entries, RECIPE, tmp_path / "predictions.csv", tmp_path, 0, CLASSES)
    rows = read_csv(tmp_path / "predictions.csv")
    assert list(rows[0]) == ["path", "label", "class", "predicted", "correct", "top5"]
    assert [row["path"] for row in rows] == [entry.path.name for entry in entries]
    assert figures["videos"] == 3
    right = [int(row["correct"]) for row in rows]
    assert figures["top1"] == figures["mean_class_accuracy"] == sum(right) / 3
    assert [row["label"] == row["predicted"] for row in rows] == [bool(value) for value in right]
    assert (
        figures["top5"]
        == sum(row["label"] in [pair.split(":")[0] for pair in row["top5"].split()] for row in rows) / 3
    )
    for row in rows:
        pairs = [pair.split(":") for pair in row["top5"].split()]
        assert len({label for label, _ in pairs}) == 5 and pairs[0][0] == row["predicted"]
        assert [float(score) for _, score in pairs] == sorted((float(s) for _, s in pairs), reverse=True)


def test_known_figures_and_files(tmp_path):
    """Labels set to what the network says, but for one video, so that every figure is known."""
    entries = videos(tmp_path, lengths=(8,) * 5)
    taken_for = scores(Probe(), entries, RECIPE, 0, "test").argmax(1).tolist()
    wrong = next(label for label in range(6) if label != taken_for[0])
    labels = [wrong, *taken_for[1:]]
    entries = [
        entry._replace(label=label, class_name=CLASSES[label])
        for entry, label in zip(entries, labels, strict=True)
    ]
    figures = evaluate(Probe(), entries, RECIPE, tmp_path / "p.csv", tmp_path, 0, CLASSES)
    shares = [
        sum(t == y for t, y in zip(taken_for, labels, strict=True) if y == label) / labels.count(label)
        for label in set(labels)
    ]
    assert figures["top1"] == 4 / 5
    assert figures["mean_class_accuracy"] == pytest.approx(sum(shares) / len(shares))
    table = read_csv(tmp_path / "per_class.csv")
    assert list(table[0]) == ["class", "videos", "correct", "accuracy", "most_confused_with", "count"]
    assert [row["class"] for row in table] == CLASSES
    assert [int(row["videos"]) for row in table] == [labels.count(label) for label in range(6)]
    assert [row["accuracy"] == "" for row in table] == [row["videos"] == "0" for row in table]
    assert (table[wrong]["most_confused_with"], table[wrong]["count"]) == (CLASSES[taken_for[0]], "1")
    assert sum(int(row["correct"]) for row in table) == 4
    svg = (tmp_path / "confusion.svg").read_text(encoding="utf-8")
    assert all(svg.count(f">{name}<") == 2 for name in CLASSES)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    with Image.open(tmp_path / "mistakes.png") as picture:
        one_wrong = picture.size
    assert one_wrong[1] < 200


def test_a_second_evaluation_writes_the_same_bytes(tmp_path):
    entries = videos(tmp_path)
    for name in ("a", "b"):
        evaluate(Probe(), entries, RECIPE, tmp_path / name / "predictions.csv", tmp_path, 0, CLASSES)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["confusion.svg", "mistakes.png", "per_class.csv", "predictions.csv"]
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_names_that_are_no_text_come_through(tmp_path):
    entries = [
        entry._replace(class_name=f"c\udcfe{entry.label}") for entry in videos(tmp_path, name="v\udcff{}.mp4")
    ]
    names = [f"c\udcfe{label}" for label in range(6)]
    evaluate(Probe(), entries, RECIPE, tmp_path / "predictions.csv", tmp_path, 0, names)
    assert [row["path"] for row in read_csv(tmp_path / "predictions.csv")] == [e.path.name for e in entries]
    assert read_csv(tmp_path / "per_class.csv")[2]["class"] == "c\udcfe2"
    assert (tmp_path / "confusion.svg").is_file() and (tmp_path / "mistakes.png").is_file()


def test_with_fewer_than_five_classes_all_are_in_the_top_five(tmp_path):
    entries = videos(tmp_path)
    figures = evaluate(Probe(3), entries, RECIPE, tmp_path / "predictions.csv", tmp_path, 0, CLASSES[:3])
    assert figures["top5"] == 1.0
    assert all(len(row["top5"].split()) == 3 for row in read_csv(tmp_path / "predictions.csv"))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_network_computes_with_the_numbers_of_its_recipe(tmp_path, precision):
    model, seen = Probe(), []
    model.register_forward_hook(lambda *given: seen.append(torch.is_autocast_enabled("cpu")))
    scores(model, videos(tmp_path, (8,)), RECIPE.model_copy(update={"precision": precision}), 0, "test")
    assert seen == [precision == "bf16-mixed"]
