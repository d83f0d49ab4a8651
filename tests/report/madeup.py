"""Made-up runs of a study, in folders like those that training leaves."""

import csv
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kinefract import video
from kinefract.cards.measure import FIGURES
from kinefract.common.files import write_json, write_text
from kinefract.config import params, plan
from kinefract.config.specs import StudySpec

VIDEOS = 200  # test videos of each benchmark, so that two decimals of a top-1 are a whole number of them
CLASSES = ("fall", "rise", "spin", "zoom")
MADE_WITH = {
    "kinefract": "0.1.0",
    "commit": "0123456789ab",
    "python": "3.11.2",
    "torch": "2.13.0",
    "machine": "Some Processor, 2 cores",
}


@dataclass
class MadeUp:
    """A study whose runs have been made up: the project's folder and what params.yaml resolved to."""

    root: Path
    plan: plan.Plan
    study: StudySpec

    @property
    def spec_path(self) -> Path:
        return self.root / self.study.folder / "spec.yaml"

    def finetune_folder(self, variant: int, benchmark: str, seed: int) -> Path:
        return self.root / "results/finetune" / self.study.variants[variant].runs[benchmark][seed]


def make_up(
    root: Path,
    top1: list[dict[str, list[float]]],
    question: str = "Does pre-training help?",
    objectives: tuple[str, ...] = ("scratch", "supervised"),
    vary: dict | None = None,
    previews: bool = True,
    name: str = "little",
    variants: dict | None = None,
    seeds_of: str = "finetuning",
    snapshots: list[int] | None = None,
) -> MadeUp:
    """Write the folders of a study.

    Args:
        root: The project's folder.
        top1: Per variant: benchmark -> top-1 of seeds 1, 2, ...
        question: The study's question.
        objectives: Varied values, unless ``vary`` is given.
        vary: The study's ``vary`` section.
        previews: Whether datasets and benchmarks have previews.
        name: The study's name.
        variants: The study's ``variants`` section, in place of ``vary``; ``init: published`` are weights.
        seeds_of: Whether each seed has a pre-training of its own (``both``).
        snapshots: Epochs whose weights a pre-training keeps.
    """
    seeds = range(1, 1 + len(next(iter(top1[0].values()))))
    settings = params.parse(
        {
            "run": [name],
            "datasets": {"fractal": {"family": "fractal", "classes": 4, "clips_per_class": 5, "size": 32}},
            "pretraining": {"small": {"dataset": "fractal", "epochs": 4, "width": 8, "snapshots": snapshots}},
            "finetuning": {"small": {"epochs": 12}},
            "weights": {"published": {"file": "weights.pth", "backbone": "tsm_resnet50", "width": 8}},
            "benchmarks": {name: {"kind": "motions", "seed": number} for number, name in enumerate(top1[0])},
            "studies": {
                name: {
                    "question": question,
                    "pretraining": "small",
                    "finetuning": "small",
                    **(
                        {"variants": variants}
                        if variants
                        else {"vary": vary or {"pretraining.objective": list(objectives)}}
                    ),
                    "benchmarks": list(top1[0]),
                    "seeds": list(seeds),
                    "seeds_of": seeds_of,
                }
            },
        }
    )
    resolved = plan.resolve(settings)
    study = resolved.study(name)
    for shelf in (resolved.datasets, resolved.benchmarks, resolved.pretrains, resolved.finetunes):
        for spec in shelf.values():
            spec.write(root)
    study.write(root)
    for spec in resolved.pretrains.values():
        write_run(root / spec.folder, "pretrain", 0.6, 4)
    for variant, scores in zip(study.variants, top1, strict=True):
        for benchmark, by_seed in variant.runs.items():
            for (seed, run_id), value in zip(by_seed.items(), scores[benchmark], strict=True):
                write_run(root / "results/finetune" / run_id, "finetune", value, 12, seed)
    for spec in resolved.benchmarks.values():
        write_json(
            root / spec.folder / "summary.json", {"classes": 4, "videos": {"train": 400, "test": VIDEOS}}
        )
    if previews:
        for number, folder in enumerate([*resolved.datasets.values(), *resolved.benchmarks.values()]):
            write_preview(root / folder.folder, number)
    for spec in resolved.datasets.values():
        write_json(root / spec.folder / "card.json", card_of(spec.id))
    return MadeUp(root, resolved, study)


def card_of(dataset: str, **means: float) -> dict:
    """Return the card of a dataset of which only some figures are known."""
    figures = {name: {"mean": means.get(name), "std": None, "clips": 0} for name in FIGURES}
    return {
        **{"id": dataset, "clips": 20, "classes": 4, "shards": 1, "size": 32, "fps": 12.0, "frames": 380},
        **{"seconds": 31.7, "bytes": 9000, "redrawn_share": 0.0, "recipe": {}, "figures": figures},
        **{"cost": {"cpu_seconds": None, "jobs": 0}, "measured": {"clips": 0, "frames": 16, "side": 64}},
    }


def write_run(folder: Path, phase: str, top1: float, epochs: int, seed: int = 1) -> None:
    """Write what a finished run leaves, but the model."""
    lines = [
        {
            "epoch": epoch,
            "loss": round(2.5 * 0.8**epoch + 0.02 * seed * (epoch % 3), 4),
            "top1": round(top1 * (1 - 0.75**epoch) + 0.01 * seed, 4),
            "lr": 1e-3,
            "grad_norm": 1.0,
            "clips_per_second": 40.0,
            "data_share": 0.1,
            "seconds": 3.5,
        }
        for epoch in range(1, epochs + 1)
    ]
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    result = {
        "id": folder.name,
        "phase": phase,
        "epochs": epochs,
        "loss": lines[-1]["loss"],
        "top1": top1,
        "seconds": 3.5 * epochs,
        "clips_per_second": 40.0,
        "parameters": 2_790_000,
        "made_with": MADE_WITH,
    }
    if phase == "finetune":
        result |= {"top5": min(1.0, top1 + 0.25), "videos": VIDEOS, "evaluation_seconds": 4.0}
        write_predictions(folder, top1)
    write_json(folder / "result.json", result)


def write_predictions(folder: Path, top1: float) -> None:
    """Write predictions of which the share ``top1`` is right: the easier videos, by a noisy order."""
    noise = np.random.default_rng(zlib.crc32(folder.name.encode())).random(VIDEOS)
    order = np.argsort(np.arange(VIDEOS) * 7 % VIDEOS / VIDEOS + noise, kind="stable")
    right = np.zeros(VIDEOS, bool)
    right[order[: round(top1 * VIDEOS)]] = True
    lines = ["path,label,class,predicted,correct,top5"]
    for place in range(VIDEOS):
        label = place % 4
        guess = label if right[place] else (label + 1) % 4
        lines.append(f"clips/{place}.mp4,{label},{CLASSES[label]},{guess},{int(right[place])},{guess}:0.9000")
    write_text(folder / "predictions.csv", "".join(line + "\r\n" for line in lines))


def write_preview(folder: Path, number: int) -> None:
    """Write a small moving sheet and its still."""
    t, y, x = np.meshgrid(np.arange(12), np.arange(64), np.arange(96), indexing="ij")
    frames = ((x * (2 + number) + y + 8 * t) % 256).astype(np.uint8)
    frames = np.stack([frames, 255 - frames, frames // 2], axis=-1)
    folder.mkdir(parents=True, exist_ok=True)
    video.write_for_people(folder / "preview.mp4", frames, 12)
    Image.fromarray(frames[0]).save(folder / "preview.png")


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV file by column."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_index(folder: Path) -> None:
    """Write the index of the videos that ``write_predictions`` predicts, all copies of one small video."""
    t, y, x = np.meshgrid(np.arange(8), np.arange(32), np.arange(48), indexing="ij")
    frames = np.repeat(((x * 4 + y + 16 * t) % 256).astype(np.uint8)[..., None], 3, axis=3)
    encoded = video.encode(frames, 12, 23)
    lines = ["path,label,class_name,frames,fps,width,height,start,end,split"]
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for place in range(VIDEOS):
        (folder / f"clips/{place}.mp4").write_bytes(encoded)
        lines.append(f"clips/{place}.mp4,{place % 4},{CLASSES[place % 4]},8,12,48,32,0,8,test")
    write_json(folder / "classes.json", list(CLASSES))
    write_text(folder / "index.csv", "".join(line + "\r\n" for line in lines))
