"""Networks that come with kinefract: made from a run, loaded by name, begun from in a recipe."""

import re
from pathlib import Path

import pytest
import torch

from kinefract import cli, models, released
from kinefract.benchmarks import index
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.specs import FinetuneSpec
from kinefract.models import weights
from kinefract.training import runs
from kinefract.training.train import Execution

ROOT = Path(__file__).parents[1]
NAME = "fractal-tsm-tiny"
COMES_WITH_IT = "fractal-tsm-resnet18"


@pytest.fixture
def made(tmp_path, tiny, monkeypatch):
    """Return (the run's folder, its network); the released networks are those of an empty folder."""
    monkeypatch.setattr(released, "FOLDER", tmp_path / "released")
    spec = next(iter(plan.resolve(params.parse(tiny)).pretrains.values()))
    folder = spec.write(tmp_path).parent
    recipe = spec.recipe
    network = weights.seeded(5, models.build, recipe.backbone, recipe.width, recipe.frames, 7, 0.0).eval()
    weights.save(network, folder / "model.safetensors", spec.id)
    return folder, network


def test_a_release_gives_the_features_of_its_run_as_far_as_half_precision_goes(made):
    folder, network = made
    released.write(folder, NAME, released.FOLDER)
    assert released.names() == [NAME]
    loaded = released.load(NAME, classes=3)
    clips = torch.randn(2, released.facts(NAME).frames, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(loaded.features(clips), network.features(clips), rtol=2e-2, atol=2e-3)
        assert loaded(clips).shape == (2, 3)
    own, its = network.state_dict(), loaded.state_dict()
    for key, value in own.items():
        if key.startswith(f"{network.classifier}.") or key.endswith("num_batches_tracked"):
            continue
        assert its[key].dtype == value.dtype
        assert torch.equal(its[key], value.half().float() if value.ndim > 1 else value)


def test_the_file_is_half_as_large_and_the_same_bytes_each_time(made):
    folder, _ = made
    first = released.write(folder, NAME, released.FOLDER)
    content = released.path(NAME).read_bytes()
    assert released.write(folder, NAME, released.FOLDER) == first == released.facts(NAME)
    assert released.path(NAME).read_bytes() == content
    assert len(content) < 0.6 * (folder / "model.safetensors").stat().st_size
    assert first.run == folder.name
    assert first.made_by["dataset"]["recipe"]["family"] == "fractal"


def test_a_study_starts_from_it_by_name(made, tiny, tmp_path):
    folder, _ = made
    released.write(folder, NAME, released.FOLDER)
    study = next(iter(tiny["studies"].values()))
    study.pop("vary", None)
    study["variants"] = {"scratch": {"init": "scratch"}, "released": {"init": NAME}}
    found = plan.resolve(params.parse(tiny))
    spec = next(spec for spec in found.finetunes.values() if spec.init is not None)
    assert spec.init == released.recipe(NAME)
    assert FinetuneSpec.read(spec.write(tmp_path)).init == spec.init
    network = weights.seeded(9, models.build, spec.network.backbone, spec.network.width, 8, 4, 0.0)
    runs._start(spec, network, tmp_path)
    loaded = released.load(NAME, classes=4)
    for key, value in loaded.state_dict().items():
        if not key.startswith(f"{loaded.classifier}."):
            assert torch.equal(network.state_dict()[key], value), key


def test_another_file_than_the_facts_tell_of_is_refused(made):
    folder, _ = made
    released.write(folder, NAME, released.FOLDER)
    content = bytearray(released.path(NAME).read_bytes())
    content[-1] ^= 1
    released.path(NAME).write_bytes(content)
    with pytest.raises(UserError, match="not the weights"):
        released.load(NAME)
    released.path(NAME).unlink()
    with pytest.raises(UserError, match="missing"):
        released.load(NAME)


def test_bad_names_facts_and_runs_are_named(made, tmp_path):
    folder, _ = made
    with pytest.raises(UserError, match="'fractal-tsm-tinny', but none comes with this version"):
        released.load("fractal-tsm-tinny")
    released.write(folder, NAME, released.FOLDER)
    with pytest.raises(UserError, match=f"did you mean '{NAME}'"):
        released.facts("fractal-tsm-tinny")
    (released.FOLDER / f"{NAME}.json").write_text('{"backbone": "tsm_resnet18"}')
    with pytest.raises(UserError, match=r"frames: missing"):
        released.facts(NAME)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"not finished, its model\.safetensors is missing"):
        released.write(folder, NAME, released.FOLDER)


@pytest.mark.parametrize("name", ["../out", "Fractal-tsm", "fractal", "fractal-", "fractal_tsm", ""])
def test_a_name_is_lower_case_words_with_hyphens(made, name):
    folder, _ = made
    with pytest.raises(UserError, match="wants lower-case words with hyphens"):
        released.write(folder, name, released.FOLDER)
    assert released.names() == []


def test_a_release_draws_nothing_from_the_global_generator(made):
    folder, _ = made
    before = torch.get_rng_state()
    released.write(folder, NAME, released.FOLDER)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_command_says_what_it_made(made, capsys, tmp_path):
    folder, _ = made
    assert cli.main(["release", str(folder), NAME, "--folder", str(tmp_path / "elsewhere")]) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "elsewhere" / f"{NAME}.safetensors") in said
    assert "SHA-256" in said


def card(name: str) -> str:
    return released.path(name).with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", released.names())
def test_each_network_that_comes_with_it_loads_and_has_a_card(name):
    known = released.facts(name)
    assert released.path(name).stat().st_size <= 12e6
    clips = torch.randn(
        2, known.frames, 3, known.size, known.size, generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        features = released.load(name, classes=5).features(clips)
    assert torch.isfinite(features).all()
    assert features.std() > 0.01
    assert known.run in card(name)
    assert known.sha256 in card(name)


@pytest.mark.release
def test_the_cards_number_comes_out_again(shared, tmp_path):
    """The linear probe of the card's first seed, on the real clips; on another CPU two of them may differ."""
    planned = plan.resolve(params.load(ROOT / "tests/params_0.1.yaml"))
    label = f"{COMES_WITH_IT}, linear probe"
    variant = next(each for each in planned.study("evidence_released").variants if each.label == label)
    spec = planned.finetunes[next(iter(variant.runs.values()))[1]]
    (tmp_path / spec.benchmark.recipe.root).parent.mkdir(parents=True)
    (tmp_path / spec.benchmark.recipe.root).symlink_to(shared / "data/ucf101_10")
    index.build(spec.benchmark.recipe, tmp_path, spec.benchmark.write(tmp_path).parent)
    result = runs.finetune(spec.write(tmp_path), Execution(accelerator="cpu"))
    row = re.search(rf"^\| {label} \|.*\| ([0-9., ]+) \|$", card(COMES_WITH_IT), re.MULTILINE)
    reported = float(row.group(1).split(",")[0])
    assert result["videos"] == 212
    assert 100 * result["top1"] == pytest.approx(reported, abs=100 * 2 / 212 + 0.05)
