"""The protocol: softmax averaged over windows, top-k over videos."""

import csv

import numpy as np
import torch
from torch import nn

from kinefract import video
from kinefract.augment.basic import normalise
from kinefract.benchmarks.recipes import Video
from kinefract.evaluate import evaluate, scores, top_k
from kinefract.recipes import FinetuneRecipe

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


def videos(folder, lengths=(20, 4, 33)):
    rng = np.random.Generator(np.random.Philox(1))
    entries = []
    for number, frames in enumerate(lengths):
        path = folder / f'v{number}, "odd" näme.mp4'
        levels = rng.integers(0, 256, frames, dtype=np.uint8)
        path.write_bytes(
            video.encode(np.broadcast_to(levels[:, None, None], (frames, 48, 64)).copy(), 12, 10)
        )
        entries.append(Video(str(path), number, f"class {number}", "test", frames, 12.0, 64, 48))
    return entries


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


def test_top_k_by_hand():
    predicted = np.array([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]])
    labels = np.array([2, 0, 0])
    assert top_k(predicted, labels, 1) == 1 / 3
    assert top_k(predicted, labels, 2) == 1.0
    assert top_k(predicted, labels, 5) == 1.0


def test_predictions_agree_with_the_figures(tmp_path):
    entries = videos(tmp_path)
    figures = evaluate(Probe(), entries, RECIPE, tmp_path / "predictions.csv", tmp_path, 0)
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == ['v0, "odd" näme.mp4', 'v1, "odd" näme.mp4', 'v2, "odd" näme.mp4']
    assert figures["videos"] == 3
    assert figures["top1"] == sum(int(row["correct"]) for row in rows) / 3
    assert (
        figures["top5"]
        == sum(row["label"] in [pair.split(":")[0] for pair in row["top5"].split()] for row in rows) / 3
    )
