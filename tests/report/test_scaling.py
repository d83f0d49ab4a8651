from madeup import make_up

from kinefract.report import results, scaling


def _rows(tmp_path, **study):
    made = make_up(tmp_path, **study)
    return results.read(made.root, made.study).rows


def test_a_number_varied_over_three_values_makes_one_curve_in_order_of_the_values(tmp_path):
    rows = _rows(
        tmp_path,
        vary={"pretraining.epochs": [16, 4, 8]},
        top1=[{"here": [0.5, 0.6]}, {"here": [0.1, 0.2]}, {"here": [0.3, 0.4]}],
    )
    found = scaling.scaling(rows)
    assert found.key == "pretraining.epochs"
    assert [(value, row.label) for value, row in found.lines[""]] == [(4, "4"), (8, "8"), (16, "16")]
    assert found.levels == []


def test_other_settings_make_lines_and_scratch_a_level(tmp_path):
    rows = _rows(
        tmp_path,
        vary={"pretraining.objective": ["scratch", "supervised", "moco"], "pretraining.epochs": [4, 8, 12]},
        top1=[{"here": [0.1, 0.2]}] * 7,
    )
    found = scaling.scaling(rows)
    assert {name: [value for value, _ in line] for name, line in found.lines.items()} == {
        "supervised": [4, 8, 12],
        "moco": [4, 8, 12],
    }
    assert [row.label for row in found.levels] == ["scratch"]


def test_a_number_that_goes_along_with_the_first_makes_no_lines_of_its_own(tmp_path):
    variants = {
        f"{clips} clips": {"dataset.clips_per_class": clips, "pretraining.epochs": 80 // clips}
        for clips in (5, 10, 20)
    }
    rows = _rows(tmp_path, variants=variants, top1=[{"here": [0.1, 0.2]}] * 3)
    found = scaling.scaling(rows)
    assert found.key == "dataset.clips_per_class"
    assert [value for value, _ in found.lines[""]] == [5, 10, 20]


def test_a_variant_that_names_no_value_has_that_of_its_recipe(tmp_path):
    variants = {"scratch": {"init": "scratch"}, "one": {"init_epoch": 1}, "two": {"init_epoch": 2}, "end": {}}
    rows = _rows(tmp_path, variants=variants, top1=[{"here": [0.1, 0.2]}] * 4, snapshots=[1, 2])
    found = scaling.scaling(rows)
    assert [(value, row.label) for value, row in found.lines[""]] == [(1, "one"), (2, "two"), (4, "end")]
    assert [row.label for row in found.levels] == ["scratch"]


def test_scratch_is_a_curve_where_it_has_the_setting(tmp_path):
    vary = {"init": ["scratch", "small"], "finetuning.epochs": [11, 12, 18]}
    rows = _rows(tmp_path, vary=vary, top1=[{"here": [0.1, 0.2]}] * 6)
    found = scaling.scaling(rows)
    assert {name: len(line) for name, line in found.lines.items()} == {"scratch": 3, "small": 3}
    assert found.levels == []


def test_values_of_several_lines_make_no_curve_together_and_a_single_point_is_none(tmp_path):
    variants = {
        "a": {"pretraining.epochs": 8},
        "b": {},
        "c": {"pretraining.epochs": 16, "dataset.motion": "still"},
    }
    assert scaling.scaling(_rows(tmp_path / "a", variants=variants, top1=[{"here": [0.1]}] * 3)) is None
    variants["d"] = {"pretraining.epochs": 16}
    found = scaling.scaling(_rows(tmp_path / "b", variants=variants, top1=[{"here": [0.1]}] * 4))
    assert {name: [row.label for _, row in line] for name, line in found.lines.items()} == {
        "": ["b", "a", "d"]
    }


def test_two_values_words_and_yes_or_no_make_no_curve(tmp_path):
    rows = _rows(tmp_path / "a", vary={"pretraining.epochs": [4, 8]}, top1=[{"here": [0.1]}] * 2)
    assert scaling.scaling(rows) is None
    rows = _rows(tmp_path / "b", objectives=("scratch", "supervised", "moco"), top1=[{"here": [0.1]}] * 3)
    assert scaling.scaling(rows) is None


def test_the_drawing_has_a_panel_per_benchmark_the_values_and_the_name_of_the_level(tmp_path):
    rows = _rows(
        tmp_path,
        vary={"pretraining.objective": ["scratch", "supervised"], "pretraining.epochs": [4, 12, 48]},
        top1=[{"here": [0.1, 0.2], "there": [0.5, 0.6]}] * 4,
    )
    found = scaling.scaling(rows)
    drawn = scaling.scaling_svg(found, rows)
    assert drawn == scaling.scaling_svg(found, rows)
    for text in ("here", "there", "scratch", "4", "12", "48", "pretraining.epochs"):
        assert f">{text}</text>" in drawn
    assert "supervised, 48: 55.0 % on there" in scaling.in_words(found, rows)


def test_its_table_and_its_marks_say_the_numbers_of_each_seed(tmp_path):
    vary = {"pretraining.objective": ["scratch", "supervised"], "pretraining.epochs": [4, 12, 48]}
    top1 = [{"here": [0.01 * number, 0.01 * number + 0.1]} for number in (5, 10, 20, 40)]
    rows = _rows(tmp_path, vary=vary, top1=top1)
    found = scaling.scaling(rows)
    table = scaling.numbers(found, rows)
    assert table.rows == [
        ["supervised, 4", "15.0 ± 7.1"],
        ["supervised, 12", "25.0 ± 7.1"],
        ["supervised, 48", "45.0 ± 7.1"],
        ["scratch", "10.0 ± 7.1"],
    ]
    assert scaling.titles(found, rows)["at0-0-2-1"] == "supervised, epochs 48 on here, seed 1: 40.0 %"
