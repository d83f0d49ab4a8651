"""Another package adds one of each through entry points, and a study is made of nothing else."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from kinefract.common.errors import UserError
from kinefract.common.layout import MODEL, RESULT
from kinefract.common.registry import Registry

HERE = Path(__file__).parent
STUDY = {
    "run": ["extra"],
    "datasets": {
        "stripes": {"family": "stripes", "classes": 2, "clips_per_class": 4, "size": 32, "width": 4}
    },
    "pretraining": {
        "extra": {
            **{"dataset": "stripes", "objective": "brightness", "brightness": {"weight": 2.0}},
            **{"backbone": "mean", "width": 8, "frames": 4, "size": 32, "epochs": 2, "warmup_epochs": 1},
            **{"batch_size": 4, "source": "shards", "threads": 1},
        }
    },
    "finetuning": {
        "extra": {
            **{"frames": 4, "stride": 2, "size": 32, "resize": 32, "epochs": 2, "warmup_epochs": 1},
            **{"batch_size": 4, "windows": 2, "rand_augment": None, "threads": 1},
        }
    },
    "benchmarks": {"levels": {"kind": "levels", "per_class": 3}},
    "studies": {
        "extra": {
            **{"question": "Does a plug-in do?", "pretraining": "extra", "finetuning": "extra"},
            **{"benchmarks": ["levels"], "seeds": [1], "vary": {"pretraining.objective": ["brightness"]}},
        }
    },
}
MAKE = """\
from pathlib import Path
from kinefract import cli
from kinefract.config import params, plan

found = plan.resolve(params.load(Path("params.yaml")))
study = found.study("extra")

def make(command, spec_id, *more):
    spec = str(found.find(spec_id).write(Path()))
    assert cli.main([command, spec, *more]) == 0, (command, spec_id)
    return spec

for dataset in study.datasets:
    make("shard", dataset, "0")
    make("dataset", dataset)
for benchmark in study.benchmarks.values():
    make("index", benchmark)
for pretraining in study.pretrains:
    make("pretrain", pretraining, "--workers", "0", "--accelerator", "cpu")
for run in study.runs:
    make("finetune", run, "--workers", "0", "--accelerator", "cpu")
"""


@pytest.fixture
def installed(tmp_path) -> dict[str, str]:
    """Install the package as pip would, by a folder of its metadata; return the environment that sees it."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = tmp_path / "site" / "kinefract_extra-0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: kinefract-extra\nVersion: 0.1\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    # Without MLflow, whose import takes seconds.
    (tmp_path / "site" / "mlflow.py").write_text("raise ImportError\n")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(HERE), *sys.path]),
        "CUDA_VISIBLE_DEVICES": "",
    }


def python(program: str, folder: Path, env: dict[str, str], code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.mark.long
def test_a_study_is_made_of_a_plug_ins_family_benchmark_backbone_and_objective(tmp_path, installed):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    python(MAKE, tmp_path, installed)
    (pretraining,) = (tmp_path / "results/pretrain").iterdir()
    assert pretraining.name.startswith("stripes-brightness-mean-")
    assert yaml.safe_load((pretraining / "spec.yaml").read_text())["recipe"]["brightness"] == {"weight": 2.0}
    (run,) = (tmp_path / "results/finetune").iterdir()
    assert (run / MODEL).is_file()
    assert json.loads((run / RESULT).read_text())["videos"] == 6


def test_what_is_there_without_the_package_keeps_its_digest_beside_it(tmp_path, installed):
    program = (
        "from kinefract.common.schema import digest_of; from kinefract.config.phases import PretrainRecipe; "
        "print(digest_of(PretrainRecipe(objective='moco').model_dump(mode='json')))"
    )
    assert python(program, tmp_path, installed) == python(program, tmp_path, dict(os.environ))


def test_naming_them_imports_no_torch(tmp_path, installed):
    program = (
        "import sys, kinefract.config.plan; from kinefract.models import BACKBONES; "
        "print('mean' in BACKBONES, {'torch', 'numba'} & {*sys.modules})"
    )
    assert python(program, tmp_path, installed) == "True set()\n"


def test_a_package_that_cannot_be_imported_is_named(tmp_path, installed):
    (tmp_path / "site" / "kinefract_extra").mkdir()
    (tmp_path / "site" / "kinefract_extra" / "__init__.py").write_text("")  # stands before the real one
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    program = "import sys; from kinefract import cli; sys.exit(cli.main(['plan']))"
    output = python(program, tmp_path, installed, code=1)
    assert output.startswith("error: the plug-in ")
    assert "kinefract_extra." in output


def test_a_name_is_taken_once():
    registry: Registry[object] = Registry("kinefract.things")

    @registry.register
    class First:
        NAME = "one"

    assert registry == {"one": First}
    with pytest.raises(UserError, match=r"'one' is registered by .*First and by .*Second"):

        @registry.register
        class Second:
            NAME = "one"
