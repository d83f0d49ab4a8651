"""Reading a study's runs: scores over seeds, and what is said of runs that are not there."""

import json
import statistics
from pathlib import Path

import pandas as pd
import pytest
from madeup import make_up

from kinefract.benchmarks.base import Video
from kinefract.benchmarks.index import fingerprint
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.evaluation import predictions
from kinefract.evaluation.evaluate import write_rows
from kinefract.report import classes, compare, confusions, results


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
    assert message.endswith("make them with `snakemake little`")
    assert made.finetune_folder(0, "motions", 1).name not in message


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("result.json", lambda text: "{", "cannot be read as JSON"),
        ("result.json", lambda text: "[]", "result.json: "),
        ("result.json", lambda text: text.replace('"top5"', '"top_5"'), "top5: missing"),
        ("result.json", lambda text: text.replace('"top1": 0.6', '"top1": 2.0'), "top1: .* got 2.0"),
        ("result.json", lambda text: text.replace('"top1": 0.6', '"top1": NaN'), "top1: .* got nan"),
        ("result.json", lambda text: text.replace('"top1": 0.6', '"top1": "0.6"'), "top1: .* got '0.6'"),
        ("result.json", lambda text: text.replace('"top1": 0.6', '"top1": ' + 5000 * "9"), "as JSON"),
        ("result.json", lambda text: 9999 * "[", "cannot be read as JSON"),
        ("result.json", lambda text: text.replace('"top1": 0.6', '"top1": 0.7'), "60.00 % of 200 .* 70.00 %"),
        ("result.json", lambda text: text.replace('"finetune"', '"pretrain"'), "phase: is 'pretrain'"),
        ("metrics.jsonl", lambda text: text.replace('"epoch": 3', '"epoch": 4'), "not numbered"),
        ("metrics.jsonl", lambda text: text.replace('"loss"', '"lost"', 1), "line 1.loss: missing"),
        ("metrics.jsonl", lambda text: "3\n" + text, "line 1: "),
        ("predictions.csv", lambda text: text.replace(",1,", ",yes,"), "line 2: .*'yes'"),
        ("predictions.csv", lambda text: "path,label\na,1\n", "its first line is not path,label,class"),
        ("predictions.csv", lambda text: "\0\n1,2,3\n", "predictions.csv: "),
        ("predictions.csv", lambda text: text.replace("top5\n", "top5,\n"), "its first line is not"),
        ("predictions.csv", lambda text: text.replace(":0.9000\n", ":0.9000,more\n", 1), "line 2, saw 7"),
        ("predictions.csv", lambda text: text.replace("\n", "\n\n", 1), "line 2: "),
        ("predictions.csv", lambda text: text.replace(",0,fall,0,", ",x,fall,x,"), "label or prediction: "),
        ("predictions.csv", lambda text: text.partition("\n")[0] + "\n", "it has no predictions"),
        ("predictions.csv", lambda text: "", "cannot be read as CSV"),
        ("predictions.csv", lambda text: "".join(text.splitlines(True)[:-1]), "of 199 predictions are right"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, change, said: str) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    path = made.finetune_folder(1, "motions", 1) / name
    path.write_text(change(path.read_text()))
    with pytest.raises(
        UserError, match=rf"{path.parent.name}: .*{said}.*; delete .* and run `snakemake results/"
    ):
        results.read(tmp_path, made.study)


def test_predictions_are_parsed_once_until_they_change(tmp_path: Path, monkeypatch) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    parsed = []
    read = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda *given, **options: parsed.append(1) or read(*given, **options))
    rows = compare.compared(results.read(tmp_path, made.study).rows)
    classes.changes(rows)
    confusions.chosen(rows, 1_000_000)
    assert len(parsed) == 2
    first, second = (predictions.read(made.finetune_folder(place, "motions", 1)) for place in (0, 1))
    assert first.paths is second.paths  # of all runs together one list is kept
    path = made.finetune_folder(1, "motions", 1) / "predictions.csv"
    path.write_text(path.read_text().replace("0.9000", "0.8000"))
    predictions.read(path.parent)
    assert len(parsed) == 3


def test_a_path_that_is_no_utf8_and_one_with_a_line_break_are_read(tmp_path: Path) -> None:
    name = 'a\udcff,\n"b".mp4'
    rows = [[name, 0, "fall", 1, 0, "1:0.9"], ["c.mp4", 2, "spin", 2, 1, "2:0.9"]]
    write_rows(tmp_path / "predictions.csv", predictions.COLUMNS, rows)
    found = predictions.read(tmp_path)
    assert found.paths == (name, "c.mp4")
    assert (found.labels.tolist(), found.predicted.tolist()) == ([0, 2], [1, 2])
    assert found.right.tolist() == [False, True]
    assert predictions.read_rows(tmp_path) == [[str(value) for value in row] for row in rows]
    rows[1][-1] = "2-0.9"
    write_rows(tmp_path / "predictions.csv", predictions.COLUMNS, rows)
    with pytest.raises(UserError, match=r"line 3: '2-0.9' is no list of label:score"):
        predictions.read_rows(tmp_path)


def test_a_file_that_differs_from_its_checksum_is_named(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    folder = made.finetune_folder(1, "motions", 1)
    with checksums.last_file(folder / "result.json") as partial:
        partial.write_bytes((folder / "result.json").read_bytes())
    results.read(tmp_path, made.study)
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(text.replace('"parameters": 2790000', '"parameters": 2790001'))
    with pytest.raises(UserError, match=r"result\.json: changed since it was written"):
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
    with pytest.raises(
        UserError, match=rf"{folder.name}: .*indexed again since.*; delete .* and run `snakemake "
    ):
        results.read(tmp_path, made.study)
    listed.unlink()  # as in a clone that has the results alone
    assert not results.read_available(tmp_path, made.study).missing
