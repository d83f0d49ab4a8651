"""Plans of studies: what is counted, what is done, and which measurements stand behind bytes and hours."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kinefract import cli, synth
from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes
from kinefract.common.layout import CACHES, SHARD_TIMES
from kinefract.common.provenance import machine, processor
from kinefract.config import params, plan
from kinefract.planning import estimate, rates
from kinefract.planning.inventory import Machine, Measurements, Setting
from kinefract.planning.rates import START
from kinefract.training.caching import cache_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Machine("Some Processor, 2 cores", 2, gpu=False)


class Project:
    """A project's folder in which what jobs leave can be put."""

    def __init__(self, root, content) -> None:
        self.root, self.params = root, params.parse(content)
        self.plan = plan.resolve(self.params)

    def figures(self, *names, machine=HERE):
        return estimate.figures(
            self.root, self.params, self.plan, names or list(self.params.studies), machine
        )

    def total(self, *names, machine=HERE):
        return self.figures(*names, machine=machine)["total"]

    def table(self, *names):
        return estimate.render(self.figures(*names))

    def finish(self, spec, machine=HERE.processor, weights=1000, **result):
        folder = spec.write(self.root).parent
        phase = Path(spec.PARENT).name
        facts = {"id": spec.id, "phase": phase, "epochs": 2, "loss": 1.0, "top1": 0.5, "top5": 1.0}
        facts |= {"seconds": 1.0, "clips_per_second": 20.0, "made_with": {"machine": machine}, **result}
        (folder / "result.json").write_text(json.dumps(facts))
        (folder / "model.safetensors").write_bytes(bytes(weights))

    def shard(self, spec, number, size=0):
        folder = spec.write(self.root).parent / "shards"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:05d}.tar").write_bytes(bytes(size))
        (folder / f"{number:05d}.csv").touch()

    def timed(self, spec, number, seconds):
        path = self.root / SHARD_TIMES / f"{spec.id}-{number:05d}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t200\n")

    def index(self, train, test):
        for spec in self.plan.benchmarks.values():
            folder = spec.write(self.root).parent
            (folder / "summary.json").write_text(
                json.dumps({"classes": 2, "videos": {"train": train, "test": test}})
            )


def first(shelf):
    return next(iter(shelf.values()))


def hows(found, kind):
    return {basis["how"] for basis in found["basis"] if basis["kind"] == kind}


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
    assert project.total("more")["shared"] == 3  # with a study that was not asked for
    assert json.loads(json.dumps(found)) == found


def test_a_run_is_done_when_its_weights_are_there(project):
    runs = list(project.plan.finetunes.values())
    project.finish(runs[0])
    (runs[1].write(project.root).parent / "result.json").write_text("{}")
    assert project.total()["finetuning"]["done"] == 1
    for spec in [*project.plan.pretrains.values(), *runs]:
        project.finish(spec)
    found = project.total()
    assert found["clips"] == sum(found["bytes"].values()) == sum(found["hours"].values()) == 0
    assert found["basis"] == []
    assert project.table("tiny").splitlines()[1].split()[1:] == [
        "2",
        "1/1",
        "4/4",
        "3",
        "0",
        "0",
        "B",
        "0",
        "0",
    ]


def test_clips_of_finished_shards_are_not_made_again(project):
    dataset = first(project.plan.datasets)  # 12 clips in shards of 7
    assert project.total()["clips"] == 12
    project.shard(dataset, 1, 500)
    assert project.total()["clips"] == 7
    (project.root / dataset.folder / "shards/00000.tar").touch()  # no csv beside it yet
    assert project.total()["clips"] == 7
    (project.root / dataset.folder / "manifest.csv").touch()
    assert project.total()["clips"] == 0


def test_nothing_measured_is_unknown_and_shown_as_such(project):
    project.index(12, 12)
    found = project.total()
    assert sum(found["bytes"].values()) == sum(found["gpu_hours"].values()) == 0
    for kind in ("datasets", "weights", "pretraining", "finetuning", "evaluation"):
        assert hows(found, kind) == {"unknown"}
    assert project.table().splitlines()[1].split()[-4:] == ["?", "~<0.01", "?", "0"]


def test_rendering_goes_by_the_table_of_rates_if_nothing_was_timed(project):
    found = project.total()
    seconds = 12 / 12.8 * (48 / 256) ** 2  # of a core; the method's mix of fractals
    assert found["hours"]["rendering"] == pytest.approx(seconds / 2 / 3600)
    assert hows(found, "rendering") == {"declared"}
    assert "rendering of 1 dataset: declared: 12.8 clips/s of 256 px on a core of" in project.table()


def test_trainings_in_mixed_precision_take_hours_of_a_gpu_by_declared_rates(tmp_path, tiny):
    for section in ("pretraining", "finetuning"):
        tiny[section]["small"] |= {"precision": "bf16-mixed"}
    tiny["pretraining"]["small"] |= {"width": 64, "size": 112, "backbone": "tsm_resnet50"}
    tiny["finetuning"]["small"] |= {"size": 112, "resize": 112}
    project = Project(tmp_path, tiny)
    project.index(12, 12)
    found = project.total()
    assert found["gpu_hours"] == pytest.approx(
        {
            "pretraining": 24 / 400 / 3600,
            "finetuning": 4 * 24 / 400 / 3600,
            "evaluation": 4 * 24 / 1200 / 3600,
        }
    )
    assert found["hours"]["finetuning"] == 0 and hows(found, "gpu_finetuning") == {"declared"}
    assert "declared: 400 clips/s of tsm_resnet50, 8 frames of 112 px, on one GPU; not" in project.table()


def test_a_gpu_that_was_measured_here_is_believed(tmp_path, tiny):
    tiny["finetuning"]["small"] |= {"precision": "bf16-mixed"}
    project = Project(tmp_path, tiny)
    project.index(12, 12)
    project.finish(first(project.plan.finetunes), f"Some GPU; {HERE.processor}", clips_per_second=4.0)
    found = project.total(machine=HERE._replace(gpu=True))
    assert found["gpu_hours"]["finetuning"] == pytest.approx(3 * 24 / 4.0 / 3600)
    assert hows(found, "gpu_finetuning") == {"measured"}


def test_an_official_benchmark_counts_before_it_is_indexed(own_settings, tmp_path):
    project = Project(tmp_path, own_settings)
    found = project.total("objectives")
    assert hows(found, "gpu_finetuning") == {"declared"} and "finetuning" not in {
        basis["kind"] for basis in found["basis"]
    }


def test_bytes_and_hours_of_clips_are_those_of_shards_made_before(project):
    dataset = first(project.plan.datasets)
    project.shard(dataset, 0, 7000)
    project.timed(dataset, 0, 14.0 + START)
    project.timed(dataset, 1, 10.0 + START)  # of five clips: as fast
    (project.root / SHARD_TIMES / f"{dataset.id}-00002.tsv").write_text("no table")
    found = project.total()
    assert found["bytes"]["datasets"] == 5 * 1000
    assert found["hours"]["rendering"] == pytest.approx(5 * 2.0 / 2 / 3600)  # two cores side by side
    assert hows(found, "datasets") == hows(found, "rendering") == {"measured"}


@pytest.mark.parametrize(("change", "expected"), [({"classes": 5}, "similar"), ({"size": 64}, "unknown")])
def test_clips_drawn_alike_cost_as_much_and_others_are_unknown(tmp_path, tiny, change, expected):
    before = Project(tmp_path, tiny)
    before.shard(first(before.plan.datasets), 0, 7000)
    before.timed(first(before.plan.datasets), 0, 14.0)
    tiny["datasets"]["fractal"] |= change
    found = Project(tmp_path, tiny).total()
    assert hows(found, "datasets") == {expected}
    assert hows(found, "rendering") == {"declared"}  # seven clips are too few to say what others take
    assert found["bytes"]["datasets"] == (20 * 1000 if expected == "similar" else 0)


def test_hours_are_steps_times_what_was_measured(project):
    project.index(12, 12)
    project.finish(first(project.plan.finetunes), clips_per_second=4.0, evaluation_seconds=48.0, videos=12)
    found = project.total("tiny")
    # 12 videos in batches of 6, two epochs; a network of one thread takes half of two cores.
    assert found["hours"]["finetuning"] == pytest.approx(3 * 24 / 4.0 / 2 / 3600)
    assert found["hours"]["evaluation"] == pytest.approx(3 * 48.0 / 2 / 3600)
    assert found["bytes"]["weights"] == 4 * 1000
    assert hows(found, "finetuning") == hows(found, "evaluation") == {"measured"}
    assert hows(found, "pretraining") == {"unknown"}


def test_measurements_on_the_validation_part_take_a_window_of_each_video(tmp_path, tiny):
    tiny["benchmarks"]["motions"] = {"kind": "csv", "file": "videos.csv", "validation": 0.5}
    tiny["finetuning"]["small"] |= {"evaluate_every": 1}
    project = Project(tmp_path, tiny)
    project.index(12, 12)
    project.finish(first(project.plan.finetunes), evaluation_seconds=48.0, videos=12)
    evaluated, measured = 48.0, 2 * 48.0 / 2  # two windows of each video; two epochs, a window of each
    hours = project.total("tiny")["hours"]["evaluation"]
    assert hours == pytest.approx(3 * (evaluated + measured) / 2 / 3600)


def test_on_a_gpu_one_run_goes_at_a_time(project):
    project.index(12, 12)
    project.finish(first(project.plan.finetunes), f"Some GPU; {HERE.processor}", clips_per_second=4.0)
    found = project.total("tiny", machine=HERE._replace(gpu=True))
    assert found["hours"]["finetuning"] == pytest.approx(3 * 24 / 4.0 / 3600)


def test_a_run_of_several_gpus_tells_what_one_takes(project):
    project.index(12, 12)
    spec = first(project.plan.finetunes)
    project.finish(spec, f"Some GPU; {HERE.processor}", clips_per_second=16.0, processes=4)
    found = project.total("tiny", machine=HERE._replace(gpu=True))
    assert found["hours"]["finetuning"] == pytest.approx(3 * 24 / 4.0 / 3600)


@pytest.mark.parametrize("machine", ["Some GPU; Some Processor, 2 cores", "Another Processor, 2 cores", ""])
def test_runs_of_other_machines_are_no_measurement(project, machine):
    project.index(12, 12)
    for spec in list(project.plan.finetunes.values())[:2]:
        project.finish(spec, machine)
    assert hows(project.total(), "finetuning") == {"unknown"}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "{", '{"clips_per_second": NaN}', "\0",
     '{"clips_per_second": 0, "made_with": {"machine": "Some Processor, 2 cores"}}',
     '{"clips_per_second": "fast", "made_with": {"machine": "Some Processor, 2 cores"}}',
     '{"clips_per_second": 9, "made_with": null}'],
)  # fmt: skip
def test_a_result_that_makes_no_sense_is_no_measurement(project, content):
    project.index(12, 12)
    spec = first(project.plan.finetunes)
    project.finish(spec)
    (project.root / spec.folder / "result.json").write_text(content)
    assert hows(project.total(), "finetuning") == {"unknown"}


def test_the_same_network_on_other_videos_is_similar_and_marked(tmp_path, tiny):
    before = Project(tmp_path, tiny)
    before.finish(first(before.plan.finetunes), clips_per_second=4.0)
    tiny["benchmarks"]["motions"] = {"kind": "folder", "root": "videos"}
    now = Project(tmp_path, tiny)
    assert hows(now.total(), "finetuning") == {"unknown"}
    assert "their benchmark is not indexed yet; `kinefract index` with its name" in now.table()
    now.index(12, 12)
    assert hows(now.total(), "finetuning") == {"similar"}
    assert now.table().splitlines()[1].split()[-3].startswith("~")
    assert f"fine-tuning of 4 runs: as of {first(before.plan.finetunes).id}" in now.table()


def test_runs_of_earlier_settings_are_measurements_too(project, tiny):
    before = first(project.plan.pretrains)
    project.finish(before)
    tiny["pretraining"]["small"]["epochs"] = 3
    now = Project(project.root, tiny)
    assert before.id not in now.plan.pretrains
    assert hows(now.total(), "pretraining") == {"measured"}


def test_another_network_is_another_setting(project):
    spec = first(project.plan.pretrains)
    other = spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"width": 16})})
    assert not set(Setting.of(spec).keys) & set(Setting.of(other).keys)


def test_the_median_of_the_first_key_that_has_any_counts():
    known = Measurements("nothing yet")
    for amount, source in ((1.0, "a"), (9.0, "b"), (2.0, "c"), (float("nan"), "d"), (0.0, "e")):
        known.add(amount, source, source, "any")
    assert known.find("a", "any") == (1.0, "measured", "")
    assert known.find("z", "any") == (2.0, "similar", "a")
    assert known.find("z") == (None, "unknown", "nothing yet")


def test_a_cache_counts_where_training_will_write_it(tmp_path, tiny):
    project = Project(tmp_path, tiny)  # source: auto, two epochs, small
    dataset = first(project.plan.datasets)
    assert project.total()["bytes"]["caches"] == cache_bytes(dataset.recipe) > 0
    (tmp_path / CACHES / dataset.id).mkdir(parents=True)
    assert project.total()["bytes"]["caches"] == 0
    (tmp_path / CACHES / dataset.id).rmdir()
    tiny["pretraining"]["small"] |= {"epochs": 1, "warmup_epochs": 0}
    assert Project(tmp_path, tiny).total()["bytes"]["caches"] == 0


def test_clips_that_are_rendered_as_training_goes_are_not_made(tmp_path, tiny):
    tiny["pretraining"]["small"]["source"] = "online"
    online = Project(tmp_path, tiny)
    assert online.total()["clips"] == 0
    assert online.plan.datasets and online.plan.stored(online.plan.study("tiny")) == []
    # Another run of the study may want them all the same.
    tiny["studies"]["tiny"]["vary"] = {"pretraining.source": ["shards", "online"]}
    both = Project(tmp_path, tiny)
    assert both.total()["clips"] == 12
    assert both.plan.stored(both.plan.study("tiny")) == list(both.plan.datasets)


def test_the_table_has_a_line_per_study_and_a_total(project):
    lines = project.table().splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["study", "tiny", "more", "all"]
    assert lines[1].split()[1:6] == ["2", "0/1", "0/4", "3", "12"]
    assert "all of them" not in project.table("tiny")
    assert len(project.figures("tiny", "tiny")["studies"]) == 1


def test_a_study_that_is_not_there(project):
    with pytest.raises(UserError, match="did you mean 'tiny'"):
        project.table("tinny")


def test_a_pattern_names_the_studies_that_fit_it_each_once(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    assert cli.main(["plan", "probe_small", "*_small", "--json"]) == 0
    small = [name for name in params.load().studies if name.endswith("_small")]
    found = [study["study"] for study in json.loads(capsys.readouterr().out)["studies"]]
    assert sorted(found) == sorted(small)


def test_the_list_of_studies_says_how_far_each_is(project):
    def states():
        lines = estimate.listed(estimate.studies(project.root, project.params, project.plan)).splitlines()
        return [" ".join(line.split()) for line in lines[:2]]

    assert states() == ["* tiny not begun, 5 runs Does the chain hold?", "more not begun, 5 runs More?"]
    project.finish(first(project.plan.pretrains))
    shared = "more not begun, 5 runs, 1 made for others More?"
    assert states() == ["* tiny 1 of 5 runs done Does the chain hold?", shared]
    folder = project.root / project.plan.study("more").folder
    folder.mkdir(parents=True)
    (folder / "index.html").touch()
    assert states()[1] == "more done More?"


def test_this_machine_is_known_again_by_what_results_say_of_it():
    assert machine().endswith(processor())
    here = Machine.here()
    assert here._replace(gpu=";" in machine()).made({"made_with": {"machine": machine()}})
    assert Machine("x", 4, gpu=False).share(1) == 0.25
    assert Machine("x", 4, gpu=False).share(8) == Machine("x", 4, gpu=True).share(1) == 1.0


def test_sizes_for_people():
    assert [in_bytes(n) for n in (0, 999, 1000, 3.44e6, 12.06e9, 2e12)] == [
        "0 B", "999 B", "1.0 kB", "3.4 MB", "12.1 GB", "2.0 TB",
    ]  # fmt: skip


def test_every_study_of_the_project_is_planned_without_torch(tmp_path):
    program = (
        "import sys; from kinefract.config import params, plan; from kinefract.planning import estimate\n"
        "read = params.load(sys.argv[1])\n"
        "figures = estimate.figures(sys.argv[2], read, plan.resolve(read), list(read.studies))\n"
        "print(estimate.render(figures))\n"
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


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, 1),
        ({"width": 32}, 1 / 4),
        ({"size": 224}, 4),
        ({"frames": 16}, 2),
        ({"objective": "simclr"}, 2),
        ({"objective": "multi_instance"}, 1),
    ],
)
def test_a_declared_rate_goes_with_pixels_width_and_views(tiny, settings, times):
    base = {"precision": "bf16-mixed", "backbone": "tsm_resnet50", "width": 64, "size": 112, "frames": 8}
    tiny["pretraining"]["small"] |= base | settings
    tiny["studies"]["tiny"]["vary"] = {"init": ["small"]}
    tiny["finetuning"]["small"] |= {"frames": 8}
    spec = first(plan.resolve(params.parse(tiny)).pretrains)
    assert rates.training(spec)[0] == pytest.approx(times / 400)


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.0, "0"), (0.004, "<0.01"), (0.25, "0.25"), (99.4, "99"), (99.7, "100"), (1234.0, "1,234")],
)
def test_hours_are_written_out(hours, text):
    assert estimate._number(hours) == text


def test_a_mixture_takes_the_time_of_its_parts():
    common = {"classes": 8, "clips_per_class": 2}
    parts = [{"share": 3, "recipe": {"family": "shapes"}}, {"share": 1, "recipe": {"family": "perlin"}}]
    mixed = synth.recipe(family="mixture", parts=parts, **common)
    seconds, source = rates.rendering(mixed)
    of_parts = [rates.rendering(synth.recipe(family=family, **common))[0] for family in ("shapes", "perlin")]
    assert seconds == pytest.approx(0.75 * of_parts[0] + 0.25 * of_parts[1])
    assert source == "its parts"
