"""Plans of studies: what is counted, what is done, and where hours come from."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kinefract import cli, params, plan
from kinefract.errors import UserError
from kinefract.files import in_bytes
from kinefract.planning import costs, needs, outlook
from kinefract.planning.costs import Machine
from kinefract.specs import DatasetSpec

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Machine(2, gpu=False)
CPU = "Some Processor, 2 cores"


class Project:
    """A project's folder in which what jobs leave can be put."""

    def __init__(self, root, content) -> None:
        self.root, self.params = root, params.parse(content)
        self.plan = plan.resolve(self.params)

    def figures(self, *names, here=HERE):
        return needs.figures(self.root, self.params, self.plan, names or list(self.params.studies), here)

    def table(self, *names):
        return needs.render(self.figures(*names))

    def studies(self):
        return needs.studies(self.root, self.params, self.plan)

    def finish(self, spec, **result):
        folder = spec.write(self.root).parent
        facts = {"clips_per_second": 20.0, "made_with": {"machine": CPU}, **result}
        (folder / "result.json").write_text(json.dumps(facts))
        (folder / "metrics.jsonl").write_text('{"network_share": 1.0}\n')
        (folder / "model.safetensors").touch()

    def shard(self, spec: DatasetSpec, number: int, size: int = 0):
        folder = self.root / spec.folder / "shards"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.tar").write_bytes(bytes(size))
        (folder / f"{number:05d}.csv").touch()

    def timed(self, spec: DatasetSpec, number: int, seconds: float):
        path = self.root / outlook.SHARD_TIMES / f"{spec.id}-{number:05d}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t200\n")


def first(shelf):
    return next(iter(shelf.values()))


@pytest.fixture
def project(tmp_path, tiny) -> Project:
    tiny["studies"]["more"] = {**copy.deepcopy(tiny["studies"]["tiny"]), "seeds": [2, 3], "question": "More?"}
    tiny["pretraining"]["small"]["source"] = "shards"
    return Project(tmp_path, tiny)


def test_runs_are_counted_and_shared_ones_once_in_the_total(project):
    found = project.figures()
    both = [
        (s["study"], s["variants"], s["pretraining"], s["finetuning"], s["shared"]) for s in found["studies"]
    ]
    assert both == [
        ("tiny", 2, {"runs": 1, "done": 0}, {"runs": 4, "done": 0}, 3),
        ("more", 2, {"runs": 1, "done": 0}, {"runs": 4, "done": 0}, 3),
    ]
    assert found["total"]["pretraining"]["runs"] == len(project.plan.pretrains)
    assert found["total"]["finetuning"]["runs"] == len(project.plan.finetunes)
    assert found["total"]["shared"] == 0
    assert project.figures("more")["total"]["shared"] == 3  # with a study that was not asked for
    assert json.loads(json.dumps(found)) == found


def test_a_run_is_done_when_its_weights_are_there(project):
    runs = list(project.plan.finetunes.values())
    project.finish(runs[0])
    (runs[1].write(project.root).parent / "result.json").write_text("{}")
    found = project.figures()["total"]
    assert found["finetuning"]["done"] == 1
    everything = [*project.plan.pretrains.values(), *runs]
    for spec in everything:
        project.finish(spec)
    found = project.figures()["total"]
    assert found["clips"] == sum(found["bytes"].values()) == sum(found["hours"].values()) == 0
    assert found["basis"] == []
    assert "~" not in project.table().splitlines()[1]


def test_clips_of_finished_shards_are_not_made_again(project):
    dataset = first(project.plan.datasets)  # 12 clips in shards of 7
    assert project.figures()["total"]["clips"] == 12
    project.shard(dataset, 1, 500)
    assert project.figures()["total"]["clips"] == 7
    (project.root / dataset.folder / "shards/00000.tar").touch()  # no csv beside it yet
    assert project.figures()["total"]["clips"] == 7
    (project.root / dataset.folder / "manifest.csv").touch()
    assert project.figures()["total"]["clips"] == 0


def test_a_dataset_of_finished_pretraining_is_not_needed(project):
    project.finish(first(project.plan.pretrains))
    found = project.figures()["total"]
    assert found["clips"] == found["bytes"]["datasets"] == found["hours"]["rendering"] == 0


def test_bytes_are_those_of_clips_on_disk(project):
    project.shard(first(project.plan.datasets), 0, 7000)
    assert project.figures()["total"]["bytes"]["datasets"] == 5 * 1000


def test_a_cache_counts_where_it_will_be_written(tmp_path, tiny):
    project = Project(tmp_path, tiny)  # source: auto, two epochs, small
    dataset = first(project.plan.datasets)
    expected = costs.cache_bytes(dataset.recipe)
    assert project.figures()["total"]["bytes"]["caches"] == expected > 0
    (tmp_path / outlook.CACHES / dataset.id).mkdir(parents=True)
    assert project.figures()["total"]["bytes"]["caches"] == 0
    (tmp_path / outlook.CACHES / dataset.id).rmdir()
    tiny["pretraining"]["small"]["epochs"] = 1
    tiny["pretraining"]["small"]["warmup_epochs"] = 0
    assert Project(tmp_path, tiny).figures("tiny")["total"]["bytes"]["caches"] == 0


def test_hours_of_shards_are_those_that_were_timed(project):
    dataset = first(project.plan.datasets)
    project.timed(dataset, 0, 14.0)
    project.timed(dataset, 1, 10.0)  # of five clips: as fast
    (project.root / outlook.SHARD_TIMES / f"{dataset.id}-00002.tsv").write_text("no table")
    found = project.figures()["total"]
    assert found["hours"]["rendering"] == pytest.approx(12 * 2.0 / 2 / 3600)  # two cores side by side
    assert {"kind": "rendering", "how": "measured", "source": dataset.id, "jobs": 1} in found["basis"]


def test_hours_are_steps_times_what_was_measured(project):
    project.finish(first(project.plan.finetunes), clips_per_second=4.0, evaluation_seconds=48.0, videos=12)
    found = project.figures("tiny")["total"]
    # 12 videos in batches of 6, two epochs; a network of one thread takes half of two cores.
    assert found["hours"]["finetuning"] == pytest.approx(3 * 24 / 4.0 / 2 / 3600)
    assert found["hours"]["evaluation"] == pytest.approx(3 * 48.0 / 2 / 3600)
    # Pre-training is scaled from fine-tuning: as much work for a clip, 12 clips, two epochs.
    assert found["hours"]["pretraining"] == pytest.approx(24 / 4.0 / 2 / 3600)
    hows = {(basis["kind"], basis["how"]) for basis in found["basis"]}
    assert {("finetuning", "measured"), ("evaluation", "measured"), ("pretraining", "scaled")} <= hows
    on_gpu = project.figures("tiny", here=Machine(2, gpu=True))["total"]
    assert on_gpu["hours"]["finetuning"] == pytest.approx(2 * found["hours"]["finetuning"])  # one at a time


def test_without_a_finished_run_the_cheapest_study_would_tell(tmp_path, tiny):
    tiny["pretraining"]["large"] = {**tiny["pretraining"]["small"], "backbone": "tsm_resnet50", "width": 64}
    tiny["studies"]["large"] = {**tiny["studies"]["tiny"], "pretraining": "large"}
    project = Project(tmp_path, dict(reversed(tiny.items())))
    sources = {
        basis["source"] for basis in project.figures("large")["total"]["basis"] if basis["how"] == "unknown"
    }
    assert sources == {"no run measured yet; a run of tiny would tell"}
    text = project.table("large")
    assert "pre-training of 1 run: unknown: no run measured yet; a run of tiny would tell" in text
    assert text.splitlines()[1].endswith("?")


def test_the_study_that_would_tell_is_one_whose_videos_are_at_hand(tmp_path, tiny):
    tiny["benchmarks"]["ucf"] = {"kind": "ucf101", "root": "nowhere"}
    tiny["studies"]["less"] = {**tiny["studies"]["tiny"], "benchmarks": ["ucf"], "seeds": [1]}
    project = Project(tmp_path, tiny)

    def told():
        return project.figures("tiny")["total"]["basis"][0]["source"]

    assert told().endswith("; a run of tiny would tell")
    folder = tmp_path / project.plan.benchmarks[project.plan.study("less").benchmarks["ucf"]].folder
    folder.mkdir(parents=True)
    (folder / "index.csv").touch()
    assert told().endswith("; a run of less would tell")


def test_clips_that_are_rendered_as_training_goes_are_not_made(tmp_path, tiny):
    tiny["pretraining"]["small"]["source"] = "online"
    online = Project(tmp_path, tiny)
    assert online.figures()["total"]["clips"] == 0
    assert online.plan.datasets and online.plan.stored(online.plan.study("tiny")) == []
    # Another run of the study may want them all the same.
    tiny["studies"]["tiny"]["vary"] = {"pretraining.source": ["shards", "online"]}
    both = Project(tmp_path, tiny)
    assert both.figures()["total"]["clips"] == 12
    assert both.plan.stored(both.plan.study("tiny")) == list(both.plan.datasets)


def test_runs_of_earlier_settings_are_measurements_too(project, tiny):
    before = first(project.plan.pretrains)
    project.finish(before)
    tiny["pretraining"]["small"]["epochs"] = 3
    now = Project(project.root, tiny)
    assert before.id not in now.plan.pretrains
    measured = [basis for basis in now.figures()["total"]["basis"] if basis["how"] == "measured"]
    assert measured == [{"kind": "pretraining", "how": "measured", "source": before.id, "jobs": 1}]


def test_a_benchmark_without_official_counts_is_unknown_until_it_is_indexed(tmp_path, tiny):
    tiny["benchmarks"]["egtea"] = {"kind": "egtea", "root": "nowhere", "split": 2}
    tiny["studies"]["tiny"]["benchmarks"] = ["egtea"]
    project = Project(tmp_path, tiny)
    project.finish(first(project.plan.pretrains))
    assert "how many videos egtea has is known once it is indexed" in project.table()
    folder = tmp_path / first(project.plan.benchmarks).folder
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"videos": {"train": 60, "test": 30}}))
    assert project.figures()["total"]["hours"]["finetuning"] > 0


def test_the_table_has_a_line_per_study_and_a_total(project):
    lines = project.table().splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["study", "tiny", "more", "all"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[1].split()[1:6] == ["2", "0/1", "0/4", "3", "12"]
    assert "all of them" not in project.table("tiny")
    assert len(project.figures("tiny", "tiny")["studies"]) == 1


def test_an_unknown_study_is_named(project):
    with pytest.raises(UserError, match=r"'tinny' is not one of: more, tiny \(did you mean 'tiny'\?\)"):
        project.table("tinny")


def test_a_pattern_names_the_studies_that_fit_it_each_once(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    assert cli.main(["plan", "probe_small", "*_small", "--json"]) == 0
    small = [name for name in params.load().studies if name.endswith("_small")]
    found = [study["study"] for study in json.loads(capsys.readouterr().out)["studies"]]
    assert sorted(found) == sorted(small)


def test_the_list_of_studies_says_how_far_each_is(project):
    def states():
        return [" ".join(line.split()) for line in project.studies().splitlines()[:2]]

    assert states() == ["* tiny not begun, 5 runs Does the chain hold?", "more not begun, 5 runs More?"]
    project.finish(first(project.plan.pretrains))
    assert states() == ["* tiny 1 of 5 runs done Does the chain hold?", "more 1 of 5 runs done More?"]
    folder = project.root / project.plan.study("more").folder
    folder.mkdir(parents=True)
    (folder / "index.html").touch()
    assert states()[1] == "more done More?"


def test_sizes_for_people():
    assert [in_bytes(n) for n in (0, 999, 1000, 3.44e6, 12.06e9, 2e12)] == [
        "0 B", "999 B", "1.0 kB", "3.4 MB", "12.1 GB", "2.0 TB",
    ]  # fmt: skip


def test_every_study_of_the_project_is_planned_without_torch(tmp_path):
    program = (
        "import sys; from kinefract import params, plan; from kinefract.planning import needs\n"
        "read = params.load(sys.argv[1])\n"
        "print(needs.render(needs.figures(sys.argv[2], read, plan.resolve(read), list(read.studies))))\n"
        "sys.exit(bool({'torch', 'numba', 'matplotlib', 'mlflow', 'av'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(REPOSITORY / "params.yaml"), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = params.load(REPOSITORY / "params.yaml").studies
    assert [line.split()[0] for line in done.stdout.splitlines()[1 : len(names) + 1]] == list(names)
