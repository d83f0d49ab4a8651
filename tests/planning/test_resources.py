"""What jobs ask a scheduler for follows from the recipe, and a training stops before it is killed."""

import copy

import pytest

from kinefract.config import params, plan
from kinefract.planning import estimate, jobs, resources
from kinefract.planning.inventory import Inventory, Machine

MB_MEASURED = {"shard": 222, "dataset": 348, "index": 279, "pretrain_run": 1078, "finetune_run": 1064}


def specs_of(content):
    made = plan.resolve(params.parse(content))
    (pretrain,) = made.pretrains.values()
    finetune = next(spec for spec in made.finetunes.values() if spec.init)
    return {
        "shard": pretrain.dataset,
        "dataset": pretrain.dataset,
        "index": finetune.benchmark,
        "pretrain_run": pretrain,
        "finetune_run": finetune,
    }


def test_memory_is_above_what_the_small_study_took(tiny):
    for rule, spec in specs_of(tiny).items():
        assert 1.5 * MB_MEASURED[rule] < resources.of(rule, spec).mem_mb < 10 * MB_MEASURED[rule], rule


def test_mixed_precision_asks_for_a_gpu_and_for_cores_that_read_clips(tiny):
    tiny["pretraining"]["small"]["precision"] = "bf16-mixed"
    specs = specs_of(tiny)
    asked = resources.of("pretrain_run", specs["pretrain_run"])
    assert (asked.gpu, asked.threads) == (1, resources.READERS)
    assert resources.of("finetune_run", specs["finetune_run"])[:1] == (1,)
    assert resources.of("finetune_run", specs["finetune_run"]).gpu == 0
    here = resources.of("pretrain_run", specs["pretrain_run"], gpu=0)  # of a machine that has none
    assert (here.gpu, here.threads) == (0, 1)


def test_processes_that_train_together_ask_for_as_many_gpus_and_cores(tiny):
    tiny["pretraining"]["small"] |= {"precision": "bf16-mixed"}
    one = resources.of("pretrain_run", specs_of(tiny)["pretrain_run"])
    tiny["pretraining"]["small"] |= {"devices": 4, "nodes": 2}
    spec = specs_of(tiny)["pretrain_run"]
    asked = resources.of("pretrain_run", spec)
    assert (asked.nodes, asked.gpu, asked.threads, asked.mem_mb) == (2, 8, 4 * one.threads, 4 * one.mem_mb)
    assert resources.of("pretrain_run", spec, gpu=0).gpu == 0
    tiny["pretraining"]["small"] |= {"devices": "auto", "nodes": 1}
    assert resources.of("pretrain_run", specs_of(tiny)["pretrain_run"]) == one


def test_the_memory_of_a_training_on_a_cpu_grows_with_its_batch(tiny):
    small = resources.of("pretrain_run", specs_of(tiny)["pretrain_run"]).mem_mb
    tiny["pretraining"]["small"] |= {"batch_size": 128, "size": 112, "frames": 8, "width": 64}
    assert resources.of("pretrain_run", specs_of(tiny)["pretrain_run"]).mem_mb > 10 * small


def test_a_shard_of_more_clips_gets_more_minutes(tiny):
    few = resources.of("shard", specs_of(tiny)["shard"]).runtime
    tiny["datasets"]["fractal"] |= {"clips_per_class": 10_000, "clips_per_shard": 6000}
    assert resources.of("shard", specs_of(tiny)["shard"]).runtime == few + 50


def test_attempts_ask_for_more_memory_up_to_three_times():
    assert [resources.memory(1000, attempt) for attempt in (1, 2, 3, 5, 9)] == [1000, 1500, 2000, 3000, 3000]


@pytest.mark.parametrize(("runtime", "limit"), [(1, 0.5), (10, 9.5), (60, 57), (720, 715), (2880, 2875)])
def test_a_training_stops_between_half_a_minute_and_five_before_its_end(runtime, limit):
    assert resources.time_limit(runtime) == limit


def test_a_plan_lists_the_jobs_still_to_run(tiny, tmp_path):
    tiny["pretraining"]["small"]["source"] = "shards"
    read = params.parse(copy.deepcopy(tiny))
    made = plan.resolve(read)
    found = estimate.figures(tmp_path, read, made, ["tiny"], Machine("some", 2, gpu=False))["jobs"]
    counts = {job["job"]: job["count"] for job in found}
    some = {"dataset": 1, "index": 1, "pretrain_run": 1, "finetune_run": 4, "study": 1}
    assert counts == {"shard": 2, **some}
    (shard,) = [job for job in found if job["job"] == "shard"]
    assert shard["mem_mb"] == 1500
    lines = [line.split() for line in jobs.render(found).splitlines()]
    assert ["shard", "2", "1", "1.5", "GB", "10", "200.0", "MB", "0", "1"] in lines
    for spec in made.datasets.values():
        (spec.write(tmp_path).parent / "manifest.csv").touch()
    left = jobs.needed(
        tmp_path, [made.study("tiny")], made, Inventory(tmp_path, made, Machine("some", 2, False))
    )
    assert {job["job"] for job in left}.isdisjoint({"shard", "dataset"})


def test_folds_that_have_run_are_still_to_be_pooled(tiny, tmp_path):
    tiny["benchmarks"]["motions"] = {"kind": "csv", "file": "videos.csv", "folds": 3}
    made = plan.resolve(params.parse(tiny))
    study = made.study("tiny")

    def left() -> dict[str, int]:
        there = Inventory(tmp_path, made, Machine("some", 2, False))
        return {job["job"]: job["count"] for job in jobs.needed(tmp_path, [study], made, there)}

    assert (left()["finetune_run"], left()["pool_folds"], left()["index"]) == (12, 4, 4)
    for run in made.trained(study):
        folder = made.find(run).write(tmp_path).parent
        (folder / "model.safetensors").touch()
    assert left() == {"index": 1, "pool_folds": 4, "study": 1}  # the whole benchmark is read, too
    for run in study.runs:
        (made.find(run).write(tmp_path).parent / "result.json").touch()
    assert left() == {"study": 1}


def test_disk_has_room_for_a_cache_and_parts_of_a_batch_need_less_memory(tiny):
    tiny["pretraining"]["small"] |= {"source": "cache", "batch_size": 64, "accumulate": 1}
    spec = specs_of(tiny)["pretrain_run"]
    many = spec.dataset.recipe.model_copy(update={"classes": 10_000})
    larger = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"recipe": many})})
    disk, more = (resources.of("pretrain_run", one).disk_mb for one in (spec, larger))
    assert more > disk + 1000
    whole = resources.of("pretrain_run", spec).mem_mb
    tiny["pretraining"]["small"]["accumulate"] = 8
    assert resources.of("pretrain_run", specs_of(tiny)["pretrain_run"]).mem_mb < whole
    tiny["pretraining"]["small"]["precision"] = "16-mixed"
    assert resources.of("pretrain_run", specs_of(tiny)["pretrain_run"]).gpu == 1
