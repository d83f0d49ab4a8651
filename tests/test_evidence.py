"""The studies on real video ask what docs/evidence/notebook.md says they ask.

Only studies that are as the page describes them are checked, so anybody may edit or remove one.
"""

import csv
import json
import tarfile
from functools import partial
from pathlib import Path

import evidence_records
import pytest

from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.specs import StudySpec

ROOT = Path(__file__).parents[1]
RECORDED = json.loads((ROOT / "tests/digests.json").read_text(encoding="utf-8"))
STUDIES = (
    "evidence_first",
    "evidence_released",
    "evidence_formulas",
    "evidence_formulas_probe",
    "evidence_settings",
    "evidence_settings_probe",
    "evidence_clips",
    "evidence_clips_epochs",
    "evidence_classes",
    "evidence_long",
    "evidence_seeds",
)
# Of 360,000 samples, and of the network that comes along.
LATER = (
    "evidence",
    "evidence_real",
    "evidence_still",
    "evidence_folds",
    "evidence_features",
    "evidence_quick",
)
CARD = ROOT / "src/kinefract/released/fractal-tsm-resnet18.md"


@pytest.fixture(scope="module")
def planned() -> plan.Plan:
    return plan.resolve(params.load(ROOT / "params.yaml"))


def as_recorded(planned: plan.Plan, study: str) -> bool:
    """Return whether a study is there and, if it is on record how it was, still as it was."""
    ids = {spec.study: spec.id for spec in planned.studies.values()}
    return study in ids and ids[study] == RECORDED.get(study, {}).get("study", ids[study])


def spec_of(planned: plan.Plan, study: str) -> StudySpec:
    """Return a study; skip the test where it is not as it was."""
    if not as_recorded(planned, study):
        pytest.skip(f"{study} is not there, or edited")
    return planned.study(study)


def pretrains(planned: plan.Plan, study: str) -> list:
    return [planned.pretrains[run] for run in spec_of(planned, study).pretrains]


def steps(spec) -> int:
    return spec.dataset.recipe.clips // spec.recipe.batch_size * spec.recipe.epochs


def finetunes(planned: plan.Plan, study: str) -> list:
    return [planned.finetunes[run] for run in spec_of(planned, study).runs]


def test_settings_are_searched_on_held_out_training_clips_alone(planned):
    assert all(spec.benchmark.recipe.validation > 0 for spec in finetunes(planned, "evidence_search"))
    for study in filter(partial(as_recorded, planned), STUDIES):
        assert all(not spec.benchmark.recipe.validation for spec in finetunes(planned, study)), study


@pytest.mark.parametrize("study", ["evidence_formulas", "evidence_settings"])
def test_what_is_compared_saw_as_many_clips_in_as_many_steps(planned, study):
    found = pretrains(planned, study)
    assert len(found) >= 4
    assert {(spec.dataset.recipe.clips, spec.dataset.recipe.classes) for spec in found} == {(2400, 60)}
    assert {(steps(spec), spec.recipe.batch_size, spec.recipe.size, spec.recipe.seed) for spec in found} == {
        (3000, 16, 64, 1)
    }


def test_scaling_is_at_equal_steps_and_at_equal_epochs(planned):
    by_steps, by_epochs = pretrains(planned, "evidence_clips"), pretrains(planned, "evidence_clips_epochs")
    assert [spec.dataset.recipe.clips for spec in by_steps] == [300, 600, 1200, 2400]
    assert [spec.dataset.recipe.clips for spec in by_epochs] == [300, 600, 1200, 2400]
    assert [steps(spec) for spec in by_steps] == pytest.approx([3000] * 4, rel=0.05)
    assert {spec.recipe.epochs for spec in by_epochs} == {20}
    shares = {
        (
            spec.recipe.warmup_epochs / spec.recipe.epochs,
            spec.recipe.filmed.curriculum_epochs / spec.recipe.epochs,
        )
        for spec in by_steps
    }
    assert shares == {(1 / 20, 2 / 20)}
    by_classes = pretrains(planned, "evidence_classes")
    assert [spec.dataset.recipe.classes for spec in by_classes] == [15, 30, 60, 120]
    assert {(spec.dataset.recipe.clips, steps(spec)) for spec in by_classes} == {(2400, 3000)}


def test_long_pre_trainings_differ_from_the_main_one_in_one_thing_each(planned):
    main, *others = (
        spec.model_dump(include={"recipe", "dataset"}) for spec in pretrains(planned, "evidence_long")
    )
    assert [main] == [
        spec.model_dump(include={"recipe", "dataset"}) for spec in pretrains(planned, "evidence_first")
    ]
    seed, still, twice, all_effects = others
    assert [spec["recipe"]["epochs"] for spec in (main, *others)] == [30, 30, 30, 60, 30]
    main["recipe"]["seed"] = seed["recipe"]["seed"]
    assert main == seed
    main["recipe"]["seed"], main["dataset"]["recipe"]["motion"] = 1, "still"
    assert main == still
    main["dataset"]["recipe"]["motion"] = "nonlinear"
    shares = [
        {key: spec["recipe"][key] for key in ("epochs", "warmup_epochs")}
        | {"curriculum_epochs": spec["recipe"]["filmed"]["curriculum_epochs"]}
        for spec in (main, twice)
    ]
    assert shares[1] == {key: 2 * value for key, value in shares[0].items()}
    assert main["recipe"].pop("filmed") != all_effects["recipe"].pop("filmed")
    assert main == all_effects


def test_each_seed_of_both_phases_has_the_main_pre_training_but_for_its_seed(planned):
    (main,) = pretrains(planned, "evidence_first")
    found = pretrains(planned, "evidence_seeds")
    assert [spec.recipe.seed for spec in found] == [1, 2, 3, 4, 5]
    for spec in found:
        recipe = spec.recipe.model_copy(update={"seed": main.recipe.seed})
        assert spec.model_copy(update={"recipe": recipe}) == main


def test_rows_have_seeds_enough_and_are_fine_tuned_alike(planned):
    studies = list(filter(partial(as_recorded, planned), STUDIES))
    seeds = {study: {spec.seed for spec in finetunes(planned, study)} for study in studies}
    main = ("evidence_first", "evidence_released", "evidence_long", "evidence_seeds")
    assert all(len(found) == (5 if study in main else 3) for study, found in seeds.items())
    ways = {
        (spec.recipe.method, spec.recipe.epochs, spec.recipe.lr, spec.recipe.windows, spec.benchmark.id)
        for study in studies
        for spec in finetunes(planned, study)
    }
    assert len(ways) <= 2  # all of it, or the classifier alone


@pytest.mark.parametrize("name", [*STUDIES, *LATER])
def test_pages_show_the_numbers_of_their_tables(name):
    page = CARD if name == "evidence_released" else ROOT / "docs/evidence/notebook.md"
    lines = page.read_text(encoding="utf-8").replace("**", "").splitlines()
    with (ROOT / f"docs/evidence/{name}.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        mean, spread = (f"{100 * float(row[key]):.1f}" for key in ("top1", "top1_std"))
        seeds = ", ".join(f"{100 * float(seed.split(':')[1]):.1f}" for seed in row["top1_by_seed"].split())
        shown = [line for line in lines if f"| {mean} ± {spread} |" in line and f"| {seeds} |" in line]
        assert shown, (page.name, row["variant"])
        if row["difference"] and page != CARD:
            points, low, high = (
                100 * float(row[key]) for key in ("difference", "difference_low", "difference_high")
            )
            difference = f"{points:+.1f} ({low:.1f} to {high:.1f})"
            assert any(difference in line for line in shown), row["variant"]


@pytest.mark.parametrize("page", ["README.md", "docs/evidence.md", "docs/guidelines.md"])
def test_the_claims_are_those_of_the_main_comparison(page):
    text = (ROOT / page).read_text(encoding="utf-8").replace("**", "")
    with (ROOT / "docs/evidence/evidence_real.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["difference"]]
    assert [row["benchmark"] for row in rows] == ["ucf101_10classes", "arid6", "weizmann", "(mean)"]
    for row in rows:
        points, *interval = (
            100 * float(row[key]) for key in ("difference", "difference_low", "difference_high")
        )
        assert f"{points:.1f}" in text and "{:.1f} to {:.1f}".format(*interval) in " ".join(text.split())


def test_starts_of_the_main_comparison_are_fine_tuned_alike(planned):
    if "evidence" not in {spec.study for spec in planned.studies.values()}:
        pytest.skip("evidence is not there")
    scratch, fractals = planned.study("evidence").variants
    (first,) = pretrains(planned, "evidence_first")
    found = [planned.pretrains[run] for run in fractals.pretrains.values()]
    assert [spec.recipe.seed for spec in found] == [1, 2, 3, 4, 5]
    assert {(steps(spec), spec.dataset) for spec in found} == {(2 * steps(first), first.dataset)}
    assert scratch.runs.keys() == fractals.runs.keys()
    for name, runs in fractals.runs.items():
        pairs = zip(runs.values(), scratch.runs[name].values(), strict=True)
        for own, other in ((planned.finetunes[one], planned.finetunes[two]) for one, two in pairs):
            assert own.init is not None and other.init is None
            assert own.model_copy(update={"init": None}) == other


@pytest.mark.parametrize("name", ["masked_small_motions", "masked_small_real"])
def test_the_page_of_masked_modelling_shows_the_numbers_of_its_tables(name):
    lines = (ROOT / "docs/masked.md").read_text(encoding="utf-8").replace("**", "").splitlines()
    with (ROOT / f"docs/evidence/{name}.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        shown = f"{100 * float(row['top1']):.1f} ± {100 * float(row['top1_std']):.1f}"
        if row["difference"]:
            points, low, high = (
                100 * float(row[key]) for key in ("difference", "difference_low", "difference_high")
            )
            shown += f", {points:+.1f} ({low:.1f} to {high:.1f})"
        assert any(f"| {shown}" in line for line in lines), (row["variant"], row["benchmark"])


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def test_records_are_packed_again_as_they_are_without_weights_and_pictures(planned, tmp_path):
    studies = [spec.study for spec in planned.studies.values() if spec.study.startswith("evidence")]
    if "evidence" not in studies:
        pytest.skip("evidence is not there")
    recorded = members(evidence_records.ARCHIVE)
    for name, content in recorded.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    run = tmp_path / planned.find(planned.study("evidence").pretrains[0]).folder
    for name in ("model.safetensors", "first_batch.png"):
        with checksums.replaced_file(run / name) as partial_file:
            partial_file.write_bytes(b"large")
    packed = evidence_records.pack(tmp_path, planned, studies, tmp_path / "again.tar.xz")
    assert packed == len({Path(name).parent for name in recorded})
    assert members(tmp_path / "again.tar.xz") == recorded
    (run / "result.json").write_text("{}")
    with pytest.raises(UserError, match=r"result\.json: changed"):
        evidence_records.pack(tmp_path, planned, studies, tmp_path / "again.tar.xz")
    assert members(tmp_path / "again.tar.xz") == recorded


@pytest.mark.parametrize("named", [[], ["evidense"]])
def test_records_of_no_study_leave_the_archive_as_it_is(named, monkeypatch):
    before = evidence_records.ARCHIVE.read_bytes()
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["evidence_records.py", *named])
    with pytest.raises(SystemExit, match="name the studies"):
        evidence_records.main()
    assert evidence_records.ARCHIVE.read_bytes() == before
