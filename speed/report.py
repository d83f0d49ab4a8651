"""Measures the report of a large study: CPU seconds and memory of ``kinefract study``, and where they go.

The runs are made up: predictions of many videos, epochs and results as training leaves them.
"""

import argparse
import cProfile
import json
import pstats
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from kinefract import report, tracking
from kinefract.common.files import write_json, write_text
from kinefract.common.provenance import made_with
from kinefract.config import params, plan

CLASSES = 100


def settings(variants: int, seeds: int) -> dict:
    """Return the configuration of a study of variants that are pre-trained for ever longer."""
    chosen = {"scratch": {"pretraining.objective": "scratch"}}
    chosen |= {f"epochs {number}": {"pretraining.epochs": number} for number in range(4, 3 + variants)}
    return {
        "run": ["large"],
        "datasets": {"fractal": {"family": "fractal", "classes": 4, "clips_per_class": 5, "size": 32}},
        "pretraining": {"small": {"dataset": "fractal", "epochs": 4, "width": 8}},
        "finetuning": {"small": {"epochs": 12}},
        "benchmarks": {"videos": {"kind": "motions"}},
        "studies": {
            "large": {
                "question": "How long does the report take?",
                "pretraining": "small",
                "finetuning": "small",
                "variants": chosen,
                "benchmarks": ["videos"],
                "seeds": list(range(1, 1 + seeds)),
            }
        },
    }


def write_runs(root: Path, resolved: plan.Plan, videos: int) -> Path:
    """Write the runs of the study; return the path of its spec."""
    study = resolved.study("large")
    for shelf in (resolved.datasets, resolved.benchmarks, resolved.pretrains, resolved.finetunes):
        for spec in shelf.values():
            spec.write(root)
    epochs = [{"epoch": at, "loss": 4.0 / at, "top1": 0.5, "seconds": 3.5} for at in range(1, 13)]
    lines = "".join(json.dumps(line) + "\n" for line in epochs)
    result = {"epochs": 12, "loss": 0.3, "seconds": 42.0, "clips_per_second": 40.0, "parameters": 2_790_000}
    result["made_with"] = {"machine": "none"}
    for spec in resolved.pretrains.values():
        write_text(root / spec.folder / "metrics.jsonl", lines)
        write_json(
            root / spec.folder / "result.json", result | {"id": spec.id, "phase": "pretrain", "top1": 0.6}
        )
    labels = np.arange(videos) % CLASSES
    for number, spec in enumerate(resolved.finetunes.values()):
        rng = np.random.default_rng(number)
        predicted = np.where(rng.random(videos) < 0.5, labels, rng.integers(0, CLASSES, videos))
        rows = [
            f"data/raw/videos/class {label}/video_{place:06}.avi,{label},class {label},{guess},"
            f"{int(guess == label)},{guess}:0.5123 {(guess + 1) % CLASSES}:0.2000"
            for place, (label, guess) in enumerate(zip(labels.tolist(), predicted.tolist(), strict=True))
        ]
        folder = root / spec.folder
        write_text(
            folder / "predictions.csv", "\r\n".join(["path,label,class,predicted,correct,top5", *rows, ""])
        )
        write_text(folder / "metrics.jsonl", lines)
        write_json(folder / "classes.json", [f"class {label}" for label in range(CLASSES)])
        top1 = float((predicted == labels).mean())
        about = {"id": spec.id, "phase": "finetune", "top1": top1, "top5": top1, "videos": videos}
        write_json(folder / "result.json", result | about)
    return study.write(root)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--videos", type=int, default=50_000)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, too")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    tracking.log_study = lambda *_: None  # MLflow is measured by speed/track.py
    resolved = plan.resolve(params.parse(settings(options.variants, options.seeds)))
    with tempfile.TemporaryDirectory() as name:
        spec_path = write_runs(Path(name), resolved, options.videos)
        profile = cProfile.Profile()
        start, wall = time.process_time(), time.perf_counter()
        if options.profile:
            profile.enable()
        report.build(spec_path)
        profile.disable()
        seconds, wall = time.process_time() - start, time.perf_counter() - wall
        page = (spec_path.parent / "index.html").stat().st_size
    figures = {
        "variants": options.variants,
        "seeds": options.seeds,
        "videos": options.videos,
        "cpu_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "page_mb": round(page / 1e6, 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(", ".join(f"{key} {value}" for key, value in figures.items()))
    if options.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
    if options.json:
        write_json(options.json, {**figures, "made_with": made_with(Path(__file__).parents[1])})


if __name__ == "__main__":
    main()
