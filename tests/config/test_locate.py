"""A dataset is found by its folder, its spec or its name; what is not there is told with what is."""

import re

import pytest

from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.locate import locate_dataset, locate_index, locate_results, title_of
from kinefract.config.specs import BenchmarkSpec, DatasetSpec


@pytest.fixture
def project(tmp_path, tiny, write_params):
    write_params(tmp_path, tiny)
    return tmp_path


@pytest.fixture
def spec(tiny):
    return DatasetSpec(recipe=params.parse(tiny).datasets["fractal"])


def test_folder_spec_and_name_lead_to_the_same(project, spec, monkeypatch):
    path = spec.write(project)
    expected = (spec, project / spec.folder)
    assert locate_dataset(path) == locate_dataset(path.parent) == expected
    assert locate_dataset("fractal", project) == locate_dataset(spec.folder, project) == expected
    monkeypatch.chdir(project)
    found, folder = locate_dataset("fractal")
    assert (found, str(folder)) == (spec, spec.folder)


def test_a_name_is_found_before_its_dataset_is_made(project, spec):
    assert locate_dataset("fractal", project) == (spec, project / spec.folder)
    assert not (project / spec.folder).exists()


def test_a_dataset_at_hand_goes_before_a_name(project, tiny):
    other = DatasetSpec(recipe=params.parse(tiny).datasets["fractal"].model_copy(update={"seed": 5}))
    (project / "fractal").mkdir()
    (project / "fractal" / "spec.yaml").write_text(other.to_yaml(), encoding="utf-8")
    assert locate_dataset("fractal", project) == (other, project / "fractal")


@pytest.mark.parametrize("text", ["/no/such/folder", "../nope", "results/nope"])
def test_a_path_to_no_result_is_no_name(project, monkeypatch, text):
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=f"{text}: no such folder, and no id or name of a result"):
        locate_results(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fractl", "fractl: no such folder, .* is not one of: fractal (did you mean 'fractal'?)"),
        ("data", "data: its folder holds no spec.yaml, .* is not one of: fractal"),
        ("data/synthetic", "holds no spec.yaml, so it is no dataset's folder"),
        ("data/synthetic/fractal-0", "is not one of: fractal-.* (did you mean 'fractal-"),
        ("data/synthetic/fractal-0/spec.yaml", "is not one of: fractal-"),
        ("elsewhere/fractal-0", "no such dataset; `snakemake datasets` makes"),
    ],
)
def test_what_is_not_there(project, spec, text, said):
    spec.write(project)
    pattern = ".*".join(map(re.escape, said.split(".*")))
    with pytest.raises(UserError, match=pattern):
        locate_dataset(text, project)


def test_a_name_without_a_params_file(tmp_path):
    with pytest.raises(UserError, match=r"no params\.yaml here .* run this from the project's folder"):
        locate_dataset("fractal", tmp_path)


def test_a_spec_in_disorder(project, spec):
    path = spec.write(project)
    path.write_text(path.read_text().replace("size: 48", "size: 50"))
    for text in (path, path.parent):
        with pytest.raises(UserError, match="its settings make"):
            locate_dataset(text)


def test_an_index_is_found_by_spec_folder_and_name_which_writes_its_spec(project):
    path = locate_index("motions", project)
    assert path.exists() and path.parent.parent == project / BenchmarkSpec.PARENT
    assert locate_index(path) == locate_index(path.parent) == locate_index("motions", project) == path
    with pytest.raises(UserError, match=r"'motion' is not one of: motions \(did you mean 'motions'"):
        locate_index("motion", project)


def test_runs_go_by_the_names_of_their_benchmark_and_what_they_start_from(tmp_path, tiny, write_params):
    tiny["weights"] = {"kinetics": {"file": "w/tsm.pth", "backbone": "tsm_resnet18", "width": 8}}
    tiny["benchmarks"] = {"mine": tiny["benchmarks"]["motions"]}
    tiny["datasets"] = {"flames": tiny["datasets"]["fractal"]}
    tiny["pretraining"]["small"]["dataset"] = "flames"
    tiny["studies"]["tiny"] |= {"benchmarks": ["mine"], "seeds": [1], "vary": {"init": ["scratch", "small"]}}
    tiny["studies"]["tiny"]["vary"]["init"].append("kinetics")
    write_params(tmp_path, tiny)
    resolved = plan.resolve(params.parse(tiny))
    assert [title_of(spec, tmp_path) for spec in resolved.finetunes.values()] == [
        "mine-scratch-s1",
        "mine-flames-supervised-s1",
        "mine-tsm-s1",
    ]
    (pretrain,) = resolved.pretrains.values()
    assert title_of(pretrain, tmp_path) == "flames-supervised-tsm_resnet18"
    assert title_of(pretrain, tmp_path / "none") == pretrain.name  # no configuration there
