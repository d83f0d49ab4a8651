"""What `kinefract check` finds: one line where all is in order, one for each problem, and JSON on request."""

import json
import shutil

import pytest
import yaml

from kinefract import cli
from kinefract.common.layout import CONFIG_DIR

LISTED = "path,label,split\na/1.mp4,a,train\na/2.mp4,a,test\nb/1.mp4,b,train\nb/2.mp4,b,test\n"


@pytest.fixture
def check(tmp_path, tiny, monkeypatch, capsys):
    """Return a function that checks a project with a CSV benchmark `own`; it returns code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_DIR, raising=False)

    def run(*options: str, settings: dict | None = None, asked: bool = False):
        tiny["benchmarks"]["own"] = {"kind": "csv", "file": "own/videos.csv", **(settings or {})}
        if asked:
            tiny["studies"]["tiny"]["benchmarks"] = ["own"]
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny, sort_keys=False))
        code = cli.main(["check", *options])
        return code, capsys.readouterr()

    return run


@pytest.fixture
def videos(tmp_path):
    """Write the CSV and its four videos; they differ."""
    for path in ("a/1", "a/2", "b/1", "b/2"):
        place = tmp_path / f"own/{path}.mp4"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"film {path}")
    (tmp_path / "own/videos.csv").write_text(LISTED)
    return tmp_path / "own"


COUNTS = "params.yaml is in order: 1 study, 1 dataset, 1 benchmark, 1 pre-training, 4 fine-tunings"


def test_all_in_order_is_one_line_and_the_studies_are_listed_on_request(check, videos):
    assert check()[1].out == f"{COUNTS}\n"
    code, said = check("--verbose")
    assert (code, said.err) == (0, "")
    assert said.out == f"tiny: Does the chain hold?\n    2 variants, 4 fine-tuning runs\n{COUNTS}\n"


def test_a_csv_that_is_not_there_is_told_and_refused_if_a_study_under_run_needs_it(check):
    assert check()[1].out == f"{COUNTS}; not there yet: own/videos.csv (own)\n"
    code, said = check(asked=True)
    assert code == 1
    assert "benchmarks.own: own/videos.csv: no such file or folder, and a study under `run:`" in said.err


def test_validation_given_without_any_is_refused_with_its_line(check, videos):
    code, said = check(settings={"validation": "given"})
    assert code == 1
    assert "benchmarks.own: validation: given, but none of your videos are given for validation" in said.err
    assert "params.yaml: line " in said.err


def test_a_video_that_is_not_there_is_named(check, videos):
    (videos / "b/2.mp4").unlink()
    code, said = check()
    assert code == 1 and "1 of 4 listed videos are not there: b/2.mp4" in said.err
    assert check(settings={"allow_missing": True})[0] == 0


def test_equal_files_on_both_sides_are_a_warning(check, videos):
    shutil.copy(videos / "a/1.mp4", videos / "a/2.mp4")
    code, said = check()
    assert (code, said.out) == (0, f"{COUNTS}\n")
    assert "warning: params.yaml: line " in said.err and "own/a/1.mp4 = own/a/2.mp4" in said.err


def test_json_has_the_same_and_nothing_else_on_standard_output(check, videos):
    shutil.copy(videos / "a/1.mp4", videos / "a/2.mp4")
    code, said = check("--json")
    found = json.loads(said.out)
    assert (code, found["in_order"], found["problems"], len(found["warnings"])) == (0, True, [], 1)
    assert found["studies"] == [{"study": "tiny", "variants": 2, "finetuning_runs": 4}]
    code, said = check("--json", settings={"mirrored": False})
    found = json.loads(said.out)
    assert code == 1 and not found["in_order"]
    assert "benchmarks.own.mirrored: unknown key (did you mean 'mirror'?)" in found["problems"][0]


def test_json_is_printed_of_a_file_that_is_no_yaml(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("run: [tiny\n")
    assert cli.main(["check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["in_order"] and found["problems"][0].startswith("params.yaml")
