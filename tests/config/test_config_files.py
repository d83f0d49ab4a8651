"""A configuration is params.yaml, the files in config/ beside it, and those of a folder of the user's."""

import pytest
import yaml

from kinefract.common.errors import UserError
from kinefract.common.layout import CONFIG_DIR
from kinefract.config import files as config_files
from kinefract.config import params, plan


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a file of a project in ``tmp_path``, and returns its path."""

    def write(name: str, content: object):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


def ids(read: params.Params) -> set[str]:
    found = plan.resolve(read)
    return {*found.datasets, *found.benchmarks, *found.pretrains, *found.finetunes, *found.studies}


def test_sections_may_stand_in_any_file_and_in_any_order(tmp_path, tiny, put):
    whole = ids(params.parse(tiny))
    main = put("params.yaml", {"run": tiny["run"], "studies": tiny["studies"]})
    put("config/studies/deep/mine.yaml", {key: tiny[key] for key in ("finetuning", "datasets", "weights")})
    put("config/a.yml", {key: tiny[key] for key in ("benchmarks", "pretraining")})
    assert ids(params.load(main)) == whole


def test_like_and_names_work_across_files(tiny, put):
    main = put("params.yaml", tiny)
    put(
        "config/studies/mine.yaml",
        {
            "datasets": {"mine": {"like": "fractal", "seed": 7}},
            "pretraining": {"mine": {"like": "small", "dataset": "mine"}},
            "studies": {"mine": {"like": "tiny", "pretraining": "mine"}},
        },
    )
    read = params.load(main)
    assert list(read.studies) == ["tiny", "mine"]
    assert read.files["studies.mine"].endswith("config/studies/mine.yaml")
    assert len(plan.resolve(read).datasets) == 2


def test_a_name_that_stands_in_two_files_is_refused_with_both(tmp_path, tiny, put):
    main = put("params.yaml", tiny)
    mine = put("config/mine.yaml", {"studies": tiny["studies"]})
    with pytest.raises(UserError) as error:
        params.load(main)
    assert str(error.value).splitlines()[1:] == [
        f"  {mine}: line 2: studies.tiny: the name stands in {main} too; give one of them another"
    ]


def test_a_problem_names_the_file_that_has_it(tiny, put):
    main = put("params.yaml", tiny)
    mine = put(
        "config/mine.yaml",
        {
            "finetuning": {"mine": {"epoch": 3}},
            "studies": {"mine": {"like": "tiny", "pretraining": "smal"}, "more": {"like": "none"}},
        },
    )
    with pytest.raises(UserError) as error:
        params.load(main)
    lines = [line.replace(f"  {mine}: ", "") for line in str(error.value).splitlines()[1:]]
    assert "line 3: finetuning.mine.epoch: unknown key (did you mean 'epochs'?), got 3" in lines
    assert "line 7: studies.mine.pretraining: 'smal' is not one of: small (did you mean 'small'?)" in lines
    assert any(line.startswith("line 9: studies.more.like: 'none' is not one of: ") for line in lines)


def test_a_problem_that_a_study_has_when_it_is_resolved_names_the_file_too(tiny, put):
    main = put("params.yaml", tiny)
    mine = put(
        "config/mine.yaml", {"studies": {"mine": {"like": "tiny", "vary": {"finetuning.epochs": [0]}}}}
    )
    with pytest.raises(UserError, match=f"{mine}: line 5: studies.mine.vary: finetuning.epochs: "):
        plan.resolve(params.load(main))


def test_broken_yaml_in_any_file_is_named(tiny, put):
    main = put("params.yaml", tiny)
    mine = put("config/mine.yaml", "studies: {a: {}}\nstudies: {}\n")
    with pytest.raises(UserError, match=f"{mine}: the key 'studies' stands twice, in lines 1 and 2"):
        params.load(main)


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "studies:\n"])
def test_a_file_may_be_empty(tiny, put, content):
    main = put("params.yaml", tiny)
    put("config/mine.yaml", content)
    assert list(params.load(main).studies) == ["tiny"]


@pytest.mark.parametrize("name", ["README.md", ".mine.yaml", ".hidden/mine.yaml"])
def test_what_is_no_yaml_or_hidden_is_left_alone(tiny, put, name):
    main = put("params.yaml", tiny)
    put(f"config/{name}", "no: settings")
    assert config_files.find(main) == [main]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"run": ["tiny"]}, "run: stands in params.yaml alone, move it there"),
        ({"stdies": {}}, "stdies: unknown key, 'stdies' is not one of: .*did you mean 'studies'"),
        ({"studies": 3}, "studies: not a mapping of names"),
        ([1], "holds no settings"),
    ],
)
def test_what_stands_in_the_wrong_place_is_refused(tiny, put, content, told):
    main, mine = put("params.yaml", tiny), put("config/mine.yaml", content)
    with pytest.raises(UserError, match=f"{mine}: (line 1: )?{told}"):
        params.load(main)


@pytest.fixture(params=["argument", "variable"])
def load_with(request, monkeypatch):
    """Return a function that loads a configuration with a folder of the user's, named in either way."""

    def load(main, folder):
        if request.param == "argument":
            return params.load(main, folder)
        monkeypatch.setenv(CONFIG_DIR, str(folder))
        return params.load(main)

    return load


def test_a_folder_of_the_users_is_read_beside_the_projects(tmp_path, tiny, put, load_with):
    main = put("project/params.yaml", tiny)
    put("project/config/more.yaml", {"studies": {"more": {"like": "tiny", "seeds": [5]}}})
    put("elsewhere/mine.yaml", {"studies": {"mine": {"like": "more", "seeds": [6]}}})
    assert list(load_with(main, tmp_path / "elsewhere").studies) == ["tiny", "more", "mine"]


def test_its_own_params_file_says_what_to_run(tmp_path, tiny, put, load_with):
    main = put("project/params.yaml", tiny)
    put("elsewhere/params.yaml", {"run": ["mine"], "studies": {"mine": {"like": "tiny", "seeds": [6]}}})
    assert load_with(main, tmp_path / "elsewhere").run == ["mine"]
    assert params.load(main, run=["tiny"]).run == ["tiny"]


def test_a_folder_that_is_read_already_is_not_read_twice(tmp_path, tiny, put, load_with):
    main = put("params.yaml", tiny)
    put("config/more.yaml", {"studies": {"more": {"like": "tiny", "seeds": [5]}}})
    assert list(load_with(main, tmp_path / "config").studies) == ["tiny", "more"]


def test_a_link_to_a_folder_is_followed(tmp_path, tiny, put):
    main = put("project/params.yaml", tiny)
    put("elsewhere/mine.yaml", {"studies": {"mine": {"like": "tiny", "seeds": [6]}}})
    (tmp_path / "project/config").mkdir()
    (tmp_path / "project/config/mine").symlink_to(tmp_path / "elsewhere")
    assert list(params.load(main).studies) == ["tiny", "mine"]


def test_a_folder_that_is_not_there(tmp_path, tiny, put, load_with):
    main = put("params.yaml", tiny)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        load_with(main, tmp_path / "nowhere")


def test_studies_named_in_place_of_run_are_checked(tiny, put):
    with pytest.raises(UserError, match=r"--config: run\[0\]: 'tinny' is not one of: tiny"):
        params.load(put("params.yaml", tiny), run=["tinny"])
