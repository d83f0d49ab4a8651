"""How a damaged result is made again: by a file that a rule of the workflow makes."""

import pytest

from kinefract.common.remedies import make_again


@pytest.mark.parametrize(
    ("folder", "target"),
    [
        ("data/synthetic/fractal-0", "data/synthetic/fractal-0/manifest.csv"),
        ("data/benchmarks/csv-0", "data/benchmarks/csv-0/index.csv"),
        ("results/pretrain/run-0", "results/pretrain/run-0/result.json"),
        ("results/finetune/run-0", "results/finetune/run-0/result.json"),
        ("results/studies/tiny-0", "results/studies/tiny-0/index.html"),
    ],
)
def test_the_target_is_the_last_file_of_its_kind(tmp_path, monkeypatch, folder, target):
    monkeypatch.chdir(tmp_path)
    for named in (folder, tmp_path / folder):
        assert make_again(named) == f"delete {named} and run `snakemake {target}`"


def test_the_link_to_a_study_stands_for_its_folder(tmp_path):
    studies = tmp_path / "results/studies"
    (studies / "tiny-0").mkdir(parents=True)
    (studies / "tiny").symlink_to("tiny-0")
    assert make_again(studies / "tiny").endswith("`snakemake results/studies/tiny-0/index.html`")


def test_what_no_rule_makes_is_made_by_whoever_needs_it(tmp_path):
    assert make_again(tmp_path) == f"delete {tmp_path} to make it again"
