"""The names of all files and folders of a project. Paths are relative to the project's folder."""

# The configuration.
PARAMS_FILE, CONFIG = "params.yaml", "config"
CONFIG_DIR = "KINEFRACT_CONFIG_DIR"  # the environment variable that names one more folder

# Names, or endings of names, of files that one job at a time holds.
LOCK = ".lock"

# Folders of results; each of the first five has a folder for each result, named by its id.
DATASETS, BENCHMARKS = "data/synthetic", "data/benchmarks"
PRETRAIN, FINETUNE, STUDIES = "results/pretrain", "results/finetune", "results/studies"
RAW, UNPACKED = "data/raw", "data/unpacked"  # official files as they came, and what was in their archives
CACHES, PROBES = "data/cache", "data/cache/probes"  # decoded frames; what was found out about videos
PICTURE_LISTS = f"{CACHES}/pictures"  # what is in folders of pictures, by digest
EVALUATIONS, CARDS = "results/evaluate", "results/cards"
HUB_FOLDERS = "results/hub"  # what `kinefract push --dry-run` would upload, a folder for each repository
LOGS, TIMES, MLFLOW = "results/logs", "results/benchmarks", "results/mlflow"
ERRORS = f"{LOGS}/errors"  # tracebacks of unexpected errors
SHARD_TIMES = f"{TIMES}/shard"
DATABASE, SYNC_LOCK = "mlflow.db", f".sync{LOCK}"  # in the folder of MLflow

# Pages and figures of all studies.
RESULTS_README = "results/README.md"
OVERVIEW, ALL_CURVES = "results/index.html", "results/curves.csv"
ALL_METRICS = "results/metrics"  # a folder for each study, with a file for each variant

# In the folder of every result: its spec, and the SHA-256 of its files.
SPEC_FILE, CHECKSUMS = "spec.yaml", "SHA256SUMS"

# In the folder of a dataset.
MANIFEST, SHARDS, CARD, CARD_PAGE = "manifest.csv", "shards", "card.json", "card.html"
STILL, MOVING = "preview.png", "preview.mp4"  # in the folder of a benchmark, too
EXPORT_LABELS, EXPORT_FACTS = "labels.csv", "export.json"  # in the folder that it is exported to

# In the folder of a copy from the Hub, beside the files of the result.
HUB_CARD = "README.md"

# In the folder of a benchmark; the classes are in that of a fine-tuning run, too.
INDEX, CLASSES, SUMMARY, SUMMARY_PAGE = "index.csv", "classes.json", "summary.json", "summary.txt"
PROBLEMS = "problems.txt"

# In the folder of a cache. The index is the last to be written.
CACHED_FRAMES, FRAME_CHECKSUMS, CACHE_INDEX = "frames.bin", "frames.crc32", "index.json"

# In the folder of a run. The model is the last to be written.
MODEL, CHECKPOINT = "model.safetensors", "checkpoint.pt"
FIRST_BATCH, RECONSTRUCTION = "first_batch.png", "reconstruction.png"
EPOCHS, RESULT = "metrics.jsonl", "result.json"
PROGRESS = "progress.jsonl"  # the epochs so far, of a run that is not finished
PREDICTIONS, PER_CLASS = "predictions.csv", "per_class.csv"
CONFUSION, MISTAKES = "confusion.svg", "mistakes.png"

# In the folder of a study. The page is the last to be written.
PAGE, ANSWER, METRICS = "index.html", "answer.json", "metrics.json"
TABLE, TABLE_MD, TABLE_TEX = "table.csv", "table.md", "table.tex"
COSTS, COSTS_TEX, CLASS_CHANGES, CLASS_CHANGES_TEX = "costs.csv", "costs.tex", "classes.csv", "classes.tex"
CURVES, LOOKS = "curves.csv", "looks.csv"
TOP1_FIGURE, CURVES_FIGURE, SCALING_FIGURE = "top1.svg", "curves.svg", "scaling.svg"
PARTIAL = "partial"  # the folder of the report while runs are missing


def mlflow_page(study: str) -> str:
    """Return the path of the page that leads to a study's runs in MLflow."""
    return f"{MLFLOW}/studies/{study}.html"


def snapshot(epoch: int) -> str:
    """Return the name of the weights that a pre-training keeps after an epoch, in its folder."""
    return f"model-epoch{epoch:04d}.safetensors"
