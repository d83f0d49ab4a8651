"""A spec file holds everything that made a folder, and is refused once it no longer does."""

import pytest
import yaml

from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.specs import DatasetSpec, FinetuneSpec, PretrainSpec, StudySpec, project_root


@pytest.fixture
def resolved(tiny):
    return plan.resolve(params.parse(tiny))


def test_specs_of_every_kind_come_back_from_their_file(resolved, tmp_path):
    for shelf in (
        resolved.datasets,
        resolved.benchmarks,
        resolved.pretrains,
        resolved.finetunes,
        resolved.studies,
    ):
        for spec_id, spec in shelf.items():
            path = spec.write(tmp_path)
            assert path == tmp_path / spec.PARENT / spec_id / "spec.yaml"
            assert type(spec).read(path) == spec
            assert project_root(path) == tmp_path


def test_a_spec_that_lies_in_no_project_is_refused():
    with pytest.raises(
        UserError, match=r"/spec\.yaml: wants the spec\.yaml of a project, <project>/<a>/<b>/<id>"
    ):
        project_root("/somewhere/spec.yaml")


def test_the_digest_does_not_depend_on_the_order_of_keys(resolved):
    (spec,) = resolved.pretrains.values()
    settings = spec.model_dump()
    turned = {key: settings[key] for key in reversed(settings)}
    turned["recipe"] = {key: settings["recipe"][key] for key in reversed(settings["recipe"])}
    assert PretrainSpec.model_validate(turned).digest == spec.digest


def test_an_edited_spec_is_refused(resolved, tmp_path):
    (spec,) = resolved.pretrains.values()
    path = spec.write(tmp_path)
    data = yaml.safe_load(path.read_text())
    data["recipe"]["epochs"] = 3
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match="its settings make fractal-supervised-tsm_resnet18-"):
        PretrainSpec.read(path)


def test_a_spec_of_another_version_is_refused(resolved, tmp_path):
    (spec,) = resolved.pretrains.values()
    path = spec.write(tmp_path)
    data = yaml.safe_load(path.read_text())
    data["dataset"]["version"] = 99
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match="made by version 99 of its code, this is version"):
        PretrainSpec.read(path)


def test_the_version_is_part_of_the_digest(resolved, monkeypatch):
    (spec,) = resolved.datasets.values()
    before = spec.digest
    monkeypatch.setattr(DatasetSpec, "VERSION", DatasetSpec.VERSION + 1)
    assert DatasetSpec(recipe=spec.recipe).digest != before


@pytest.mark.parametrize("text", ["", "3", "[]", "a: 1", "id: [", "id: x\nversion: 1\n"])
def test_what_is_no_spec_is_refused_in_words(tmp_path, text):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"spec\.yaml"):
        FinetuneSpec.read(path)


def test_a_missing_spec_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        StudySpec.read(tmp_path / "spec.yaml")


def test_the_spec_of_a_study_with_thousands_of_variants_is_read_again(resolved, tmp_path):
    (study,) = resolved.studies.values()
    many = [study.variants[-1].model_copy(update={"label": f"variant {n}"}) for n in range(6000)]
    study = study.model_copy(update={"variants": many})
    assert StudySpec.read(study.write(tmp_path)) == study
