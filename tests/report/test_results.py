"""Reading a study's runs: scores over seeds, and what is said of runs that are not there."""

import json
import statistics
from pathlib import Path

import pytest
from madeup import make_up

from kinefract.benchmarks.base import Video
from kinefract.benchmarks.index import fingerprint
from kinefract.common.errors import UserError
from kinefract.report import results


def test_scores_are_read_by_variant_benchmark_and_seed(tmp_path: Path) -> None:
    top1 = [{"one": [0.2, 0.3], "two": [0.5, 0.7]}, {"one": [0.4, 0.4], "two": [0.9, 0.6]}]
    made = make_up(tmp_path, top1, previews=False)
    rows = results.read(tmp_path, made.study).rows
    assert [row.label for row in rows] == ["scratch", "supervised"]
    assert [row.pretrains == {} for row in rows] == [True, False]
    found = [{name: list(cell.top1.by_seed.values()) for name, cell in row.cells.items()} for row in rows]
    assert found == top1
    assert list(rows[0].cells["one"].top1.by_seed) == [1, 2]


def test_std_divides_by_n_minus_1() -> None:
    score = results.Score({1: 0.2, 2: 0.4, 3: 0.9})
    assert score.mean == pytest.approx(0.5)
    assert score.std == pytest.approx((((0.3**2) + (0.1**2) + (0.4**2)) / 2) ** 0.5)
    assert score.std == pytest.approx(statistics.stdev([0.2, 0.4, 0.9]))
    assert score.n == 3


def test_one_seed_has_no_std() -> None:
    assert results.Score({1: 0.5}).std is None


def test_every_missing_run_is_named_with_the_command(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4, 0.5]}, {"motions": [0.6, 0.7]}], previews=False)
    gone = made.finetune_folder(0, "motions", 2)
    (gone / "result.json").unlink()
    stopped = tmp_path / "results/pretrain" / made.study.variants[1].pretrains[1]
    (stopped / "result.json").unlink()
    (stopped / "checkpoint.pt").touch()
    with pytest.raises(UserError) as caught:
        results.read(tmp_path, made.study)
    message = str(caught.value)
    assert "2 of 5 runs are missing" in message
    assert f"results/finetune/{gone.name}: not begun" in message
    assert f"results/pretrain/{stopped.name}: stopped before its end" in message
    assert message.endswith("snakemake little")
    assert made.finetune_folder(0, "motions", 1).name not in message


@pytest.mark.parametrize(("content", "said"), [("{", "unreadable"), ('{"top1": 0.5}', "lacks top5")])
def test_a_damaged_result_is_named(tmp_path: Path, content: str, said: str) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    damaged = made.finetune_folder(1, "motions", 1)
    (damaged / "result.json").write_text(content)
    with pytest.raises(UserError, match=rf"{damaged.name}: .*{said}"):
        results.read(tmp_path, made.study)


def test_a_run_on_a_benchmark_that_was_indexed_anew_since_is_named(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    folder = made.finetune_folder(1, "motions", 1)
    listed = tmp_path / "data/benchmarks/motions-0/index.csv"
    listed.parent.mkdir(parents=True)
    rows = ",".join(Video._fields) + "\n../unpacked-1/a.mp4,0,wave,9,25.0,64,48,0,9,train\n"
    listed.write_text(rows)
    (listed.parent / "classes.json").write_text('["wave"]')
    facts = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(facts | {"index": fingerprint(listed.parent, tmp_path)}))
    assert not results.read_available(tmp_path, made.study).missing
    listed.write_text(rows.replace("unpacked-1", "lies elsewhere"))
    assert not results.read_available(tmp_path, made.study).missing
    listed.write_text(rows.replace("wave", "point"))
    (listed.parent / "classes.json").write_text('["point"]')
    with pytest.raises(UserError, match=rf"{folder.name}: .*indexed anew since.*delete its folder"):
        results.read(tmp_path, made.study)
    listed.unlink()  # as in a clone that has the results alone
    assert not results.read_available(tmp_path, made.study).missing
