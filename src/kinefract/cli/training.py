"""Commands that train networks, evaluate them and use them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kinefract.cli.app import WORKERS, Accelerator, ConfigDir, Json, On, RunName, SpecFile, Workers, app
from kinefract.common.errors import UserError
from kinefract.common.layout import EVALUATIONS, INDEX, PRETRAIN, SPEC_FILE
from kinefract.common.words import counted

if TYPE_CHECKING:
    from kinefract.training.train import Execution

CheckpointMinutes = Annotated[
    float, typer.Option(help="Most minutes between two checkpoints; one is also written after each epoch.")
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        metavar="MINUTES",
        help="Stop with a checkpoint after so many minutes, for schedulers that kill.  [default: none]",
    ),
]


@app.command()
def pretrain(
    spec: SpecFile,
    workers: Workers = WORKERS,
    accelerator: On = "auto",
    checkpoint_minutes: CheckpointMinutes = 10.0,
    time_limit: TimeLimit = None,
    devices: Annotated[
        str,
        typer.Option(
            metavar="N", help="Processes on each node that share each batch; auto is one on each GPU."
        ),
    ] = "1",
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of a job of SLURM.")] = 1,
) -> None:
    """Pre-train a network on a dataset. Goes on from the last checkpoint where there is one.

    Several processes give the result of one but for rounding. If one dies, all end.
    """
    from kinefract.training import launch, runs

    count = launch.devices_of(devices)
    if count * nodes == 1 or launch.is_started():
        runs.pretrain(spec, _execution(workers, accelerator, checkpoint_minutes, time_limit))
        return
    options: dict[str, object] = {
        "workers": -(-workers // count),
        "accelerator": accelerator,
        "checkpoint-minutes": checkpoint_minutes,
        "devices": count,
        "nodes": nodes,
    }
    if time_limit is not None:
        options["time-limit"] = time_limit
    launch.launch(
        spec, count, nodes, ["pretrain", str(spec), *(f"--{name}={value}" for name, value in options.items())]
    )


@app.command()
def finetune(
    spec: SpecFile,
    workers: Workers = WORKERS,
    accelerator: On = "auto",
    checkpoint_minutes: CheckpointMinutes = 10.0,
    time_limit: TimeLimit = None,
) -> None:
    """Fine-tune a network on a benchmark; evaluate it.

    Goes on from the last checkpoint where there is one.
    """
    from kinefract.training import runs

    runs.finetune(spec, _execution(workers, accelerator, checkpoint_minutes, time_limit))


def _execution(
    workers: int, accelerator: Accelerator, checkpoint_minutes: float, time_limit: float | None
) -> "Execution":
    from kinefract.training.checkpoint import Pauses
    from kinefract.training.train import Execution

    return Execution(workers, accelerator, Pauses(checkpoint_minutes, time_limit))


@app.command()
def evaluate(
    run: RunName,
    on: Annotated[
        str,
        typer.Option(help="A benchmark's name in the configuration, its index folder, or class folders."),
    ],
    split: Annotated[
        Literal["train", "test", "validation", "all"], typer.Option(help="Which of its videos.")
    ] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="Where to.  [default: results/evaluate/<run>-on-<benchmark>-<split>]"),
    ] = None,
    as_json: Json = False,
    workers: Workers = WORKERS,
    accelerator: On = "auto",
    config_dir: ConfigDir = None,
) -> None:
    """Evaluate a finished run on another benchmark's videos.

    The benchmark's classes must be among those of the run. Writes result, predictions, classes,
    confusion and worst mistakes into a folder of its own.
    """
    from kinefract.config.locate import locate_benchmark
    from kinefract.evaluation.predict import evaluate_run

    folder = locate_benchmark(on)
    if not folder.exists() or (folder / SPEC_FILE).exists() > (folder / INDEX).exists():
        raise UserError(
            f"{folder / INDEX}: the benchmark is not indexed yet; `kinefract index {on}` does that"
        )
    out = out or Path(EVALUATIONS, f"{Path(run).name}-on-{Path(on).resolve().name}-{split}")
    result = evaluate_run(run, folder, out, split, workers, accelerator)
    if as_json:
        print(json.dumps({"folder": str(out), **result}, indent=2))
        return
    shown = {"top-1": "top1", "top-5": "top5", "mean over classes": "mean_class_accuracy"}
    figures = ", ".join(f"{what} {100 * result[key]:.1f} %" for what, key in shown.items())
    print(f"{out}: {figures}, {counted(result['videos'], 'video')}")


@app.command()
def predict(
    run: RunName,
    videos: Annotated[list[str], typer.Argument(help="Video files, or folders of pictures.")],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Classes to name.")] = 5,
    as_json: Json = False,
    workers: Workers = WORKERS,
    accelerator: On = "auto",
) -> None:
    """Name the action in videos with a finished run."""
    from kinefract.evaluation import predict

    found = predict.predict_videos(run, videos, top, workers, accelerator)
    print((predict.json_text if as_json else predict.text)(videos, found))


@app.command()
def release(
    run: Annotated[str, typer.Argument(help=f"{PRETRAIN}/<id>")],
    name: Annotated[str, typer.Argument(help="What it is to be called, as fractal-tsm-resnet18.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go.  [default: the package's own folder]")
    ] = None,
) -> None:
    """Add a finished pre-training to the released networks.

    Writes its weights, matrices in half precision, and what made them.
    """
    from kinefract import released
    from kinefract.common.files import in_bytes

    folder = folder or released.FOLDER
    facts = released.write(run, name, folder)
    path = folder / f"{name}.safetensors"
    print(f"{path}: {in_bytes(path.stat().st_size)}, SHA-256 {facts.sha256}")
