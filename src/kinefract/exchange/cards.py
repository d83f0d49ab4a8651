"""The README.md of a repository on the Hugging Face Hub: metadata that the Hub indexes, and a text.

The metadata are those of ``huggingface_hub.ModelCardData`` and ``DatasetCardData``; their keys and values are
described in ``modelcard.md`` and ``datasetcard.md`` of https://github.com/huggingface/hub-docs.
"""

from collections.abc import Iterable
from typing import Any

from kinefract import __version__
from kinefract.augment.basic import IMAGENET_MEAN, IMAGENET_STD
from kinefract.benchmarks.base import TEST, VALIDATION
from kinefract.common.extras import needed
from kinefract.common.files import in_bytes
from kinefract.config.networks import HUB
from kinefract.config.specs import DatasetSpec, FinetuneSpec, PretrainSpec
from kinefract.released import Facts
from kinefract.synth.store.shards import Shards

TASK = "video-classification"
METHOD = "arXiv [2411.17584](https://arxiv.org/abs/2411.17584)"
HUB_ADDRESS = "https://huggingface.co"


def of_network(
    spec: PretrainSpec | FinetuneSpec,
    facts: Facts,
    repository: str,
    license: str | None,
    result: dict[str, Any] | None = None,
) -> str:
    """Return the card of a run's network.

    Args:
        spec: The run.
        facts: Those of its network.
        repository: ``owner/name``.
        license: An identifier of the Hub's list of licences; None to leave it out.
        result: The content of ``result.json``, of a fine-tuning.

    Raises:
        UserError: ``huggingface_hub`` is not installed.
    """
    parts = [
        f"# {repository.partition('/')[2]}",
        _about(spec, facts),
        "## Use",
        "```\npip install 'kinefract[hub]'\n```",
    ]
    if isinstance(spec, FinetuneSpec):
        parts.append(
            f"It names the action in videos:\n\n```\nkinefract predict {HUB}{repository} video.mp4\n```"
        )
    parts += [
        "As a start for another fine-tuning, in Python, or in a study's configuration, where "
        "`init: published` then names it:",
        "```python\nfrom kinefract import released\n\n"
        f'network = released.load("{HUB}{repository}", classes=10)\n```',
        f"```yaml\nweights:\n  published:\n    backbone: {facts.backbone}\n    width: {facts.width}\n"
        f"    file: {HUB}{repository}\n    sha256: {facts.sha256}\n```",
        f"Clips are float (B, {facts.frames}, 3, {facts.size}, {facts.size}), RGB in 0 to 1, "
        f"normalised by the mean {IMAGENET_MEAN} and the deviation {IMAGENET_STD}. "
        f"`kinefract export-model {HUB}{repository} --to onnx --output network.onnx` writes it for other "
        "programs.",
        "## What it was made from",
        _making(spec, facts),
    ]
    results = None
    if isinstance(spec, FinetuneSpec) and result:
        results = _results(spec, result)
        parts += [
            "## Results",
            _table(_figures(spec, result)),
            "One run says little: another seed gives another figure.",
        ]
    data = needed("huggingface_hub", "hub").ModelCardData(
        license=license,
        library_name="kinefract",
        pipeline_tag=TASK,
        tags=_network_tags(spec, facts),
        model_name=repository.partition("/")[2] if results else None,
        eval_results=results,
    )
    return _card(data, parts)


def of_released(facts: Facts, text: str, repository: str, license: str) -> str:
    """Return the card of a network that comes with kinefract, whose own card is ``text``.

    Raises:
        UserError: ``huggingface_hub`` is not installed.
    """
    data = needed("huggingface_hub", "hub").ModelCardData(
        license=license,
        library_name="kinefract",
        pipeline_tag=TASK,
        tags=["action-recognition", "synthetic-data", facts.backbone],
    )
    here = (
        f"This copy lies on the Hub: `pip install 'kinefract[hub]'`, then "
        f'`released.load("{HUB}{repository}", classes=10)`.'
    )
    return _card(data, [text.strip(), here])


def of_dataset(spec: DatasetSpec, clips: Shards, repository: str, license: str | None) -> str:
    """Return the card of a dataset.

    Args:
        spec: The dataset.
        clips: Its clips.
        repository: ``owner/name``.
        license: An identifier of the Hub's list of licences; None to leave it out.

    Raises:
        UserError: ``huggingface_hub`` is not installed.
    """
    recipe = spec.recipe
    data = needed("huggingface_hub", "hub").DatasetCardData(
        license=license,
        annotations_creators=["machine-generated"],
        source_datasets=["original"],
        size_categories=[_size_category(len(clips))],
        task_categories=[TASK],
        pretty_name=repository.partition("/")[2],
        tags=["synthetic", "video", "webdataset", "kinefract", recipe.family],
        configs=[
            {"config_name": "default", "data_files": [{"split": "train", "path": "shards/*.tar"}]},
        ],
    )
    last = recipe.shards - 1
    shards = f"{{00000..{last:05d}}}" if last else "00000"
    frames = int(clips.frames.sum())
    parts = [
        f"# {repository.partition('/')[2]}",
        f"{len(clips):,} clips of {recipe.classes:,} classes of the family `{recipe.family}`, made from "
        "formulas alone: no picture or video of anything or anyone. For pre-training networks for video.",
        "![frames of clips](preview.png)",
        "| | |\n|---|---|\n"
        f"| clips | {len(clips):,}, {frames:,} frames of {recipe.size} x {recipe.size} pixels, "
        f"{recipe.fps} a second |\n"
        f"| size | {in_bytes(int(clips.sizes.sum()))} in {recipe.shards:,} shards |\n"
        f"| made by | kinefract, dataset `{spec.id}`; `spec.yaml` holds the whole recipe |\n"
        f"| method | {METHOD} |",
        "## Use",
        "Shards are in the layout of WebDataset: `<number>.mp4` is a clip, `<number>.cls` its class.",
        "```python\nimport webdataset\n\n"
        f'address = "{HUB_ADDRESS}/datasets/{repository}/resolve/main/shards/{shards}.tar"\n'
        "for sample in webdataset.WebDataset(address, shardshuffle=False):\n"
        '    sample["__key__"], sample["mp4"], int(sample["cls"])\n```',
        "In a project of kinefract with the same recipe, studies use it instead of rendering it again:",
        f"```\nhf download {repository} --repo-type dataset --local-dir {spec.folder}\n"
        f"kinefract verify {spec.folder}\n```",
        "The same recipe gives the same clips to the bit on every x86-64 machine. `manifest.csv` lists each "
        "clip with the CRC-32 of its file and the SHA-256 of its frames.",
    ]
    return _card(data, parts)


def _card(data: Any, parts: list[str]) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"


def _about(spec: PretrainSpec | FinetuneSpec, facts: Facts) -> str:
    network = f"A `{facts.backbone}` of width {facts.width}"
    if isinstance(spec, PretrainSpec):
        recipe = spec.dataset.recipe
        return (
            f"{network}, pre-trained ({spec.recipe.objective}) on {recipe.clips:,} clips of the family "
            f"`{recipe.family}`, which are made from formulas alone. It has no classifier: it is a start for "
            "fine-tuning."
        )
    return f"{network}, fine-tuned on `{spec.benchmark.recipe.kind}` {_start(spec)}."


def _start(spec: FinetuneSpec) -> str:
    match spec.init:
        case PretrainSpec():
            return f"after pre-training on clips of the family `{spec.init.dataset.recipe.family}`"
        case None:
            return "from scratch"
    return f"from `{spec.init.file}`"


def _making(spec: PretrainSpec | FinetuneSpec, facts: Facts) -> str:
    recipe = spec.recipe
    rows = [
        ("run", f"`{spec.id}`; `kinefract.json` holds its whole spec (`made_by`)"),
        ("training", f"{recipe.epochs} epochs, batches of {recipe.batch_size}, rate {recipe.lr:g}"),
        ("weights", f"SHA-256 `{facts.sha256}`"),
        ("made by", f"kinefract {__version__}, {METHOD}"),
    ]
    start = spec if isinstance(spec, PretrainSpec) else spec.init
    if isinstance(start, PretrainSpec):
        clips = start.dataset.recipe
        rows.insert(1, ("clips", f"{clips.clips:,} of {clips.classes:,} classes, `{start.dataset.id}`"))
    return _table(rows)


def _figures(spec: FinetuneSpec, result: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the run measured; runs of version 0.1 may lack some of it."""
    names = {"top1": "top-1", "top5": "top-5", "mean_class_accuracy": "mean over classes"}
    rows = [(name, f"{100 * result[key]:.1f} %") for key, name in names.items() if key in result]
    if "videos" in result:
        rows.append((f"{_tested(spec)} videos", f"{result['videos']:,} of {spec.benchmark.recipe.kind}"))
    return [*rows, ("seed", str(spec.seed))]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in rows)


def _network_tags(spec: PretrainSpec | FinetuneSpec, facts: Facts) -> list[str]:
    start = spec if isinstance(spec, PretrainSpec) else spec.init
    tags = ["action-recognition", facts.backbone]
    if isinstance(start, PretrainSpec):
        tags += ["synthetic-data", start.dataset.recipe.family]
    return tags


def _tested(spec: FinetuneSpec) -> str:
    """Return the part of its benchmark that a run was evaluated on."""
    return VALIDATION if spec.benchmark.recipe.has_validation else TEST


def _results(spec: FinetuneSpec, result: dict[str, Any]) -> list[Any]:
    kind = spec.benchmark.recipe.kind
    values = {"top-1": result["top1"], "top-5": result["top5"]}
    return [
        needed("huggingface_hub", "hub").EvalResult(
            task_type=TASK,
            dataset_type=kind,
            dataset_name=kind,
            dataset_split=_tested(spec),
            metric_type="accuracy",
            metric_name=f"{name} accuracy",
            metric_value=round(value, 4),
        )
        for name, value in values.items()
    ]


def _size_category(clips: int) -> str:
    """Return the Hub's name for a number of samples, such as ``1K<n<10K``."""
    bounds = {1_000: "1K", 10_000: "10K", 100_000: "100K", 1_000_000: "1M", 10_000_000: "10M", 10**8: "100M"}
    below = "n"
    for bound, name in bounds.items():
        if clips < bound:
            return f"n<{name}" if below == "n" else f"{below}<n<{name}"
        below = name
    return "100M<n<1B"
