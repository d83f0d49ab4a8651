import csv
import io

import pytest
from madeup import card_of, make_up

from kinefract.common.files import write_json
from kinefract.report import appearance, build, results

VARY = {"dataset.size": [32, 40, 48, 56]}
TWO = (0.2, 0.3, 0.4, 0.5)
TOP1 = [{"here": [0.2]}, {"here": [0.4]}, {"here": [0.3]}, {"here": [0.5]}]


def _measured(tmp_path, values, **changes):
    made = make_up(tmp_path, **{"vary": VARY, "top1": TOP1, **changes})
    for dataset, value in zip(made.study.datasets, values, strict=True):
        card = card_of(dataset, ssim=value, lit_area=0.5)
        write_json(made.root / "data/synthetic" / dataset / "card.json", card)
    return made, results.read(made.root, made.study).rows


def test_figures_stand_beside_top1_and_those_equal_everywhere_or_unknown_are_left_out(tmp_path):
    made, rows = _measured(tmp_path, [0.9, 0.7, 0.8, 0.6])
    found = appearance.appearances(made.root, rows)
    assert [(look.label, look.figures, look.top1) for look in found] == [
        ("32", {"ssim": 0.9}, {"here": 0.2}),
        ("40", {"ssim": 0.7}, {"here": 0.4}),
        ("48", {"ssim": 0.8}, {"here": 0.3}),
        ("56", {"ssim": 0.6}, {"here": 0.5}),
    ]


@pytest.mark.parametrize(
    ("values", "rank"),
    [([0.9, 0.7, 0.8, 0.6], -1.0), ([0.6, 0.8, 0.7, 0.9], 1.0), ([0.6, 0.7, 0.8, 0.9], 0.8)],
)
def test_rank_correlation_is_spearmans(tmp_path, values, rank):
    made, rows = _measured(tmp_path, values)
    assert appearance.correlations(appearance.appearances(made.root, rows), "here")["ssim"] == pytest.approx(
        rank
    )


def test_variants_of_the_same_clips_count_as_one():
    """Two sets of clips say nothing, however many variants they have; with four, means of each count."""
    of_two = zip((0.1, 0.1, 0.9, 0.9), TWO, strict=True)
    two = [appearance.Look("", {"ssim": figure}, {"here": top1}) for figure, top1 in of_two]
    assert appearance.correlations(two, "here") == {"ssim": None}
    four = [*[(0.1, 0.2), (0.1, 0.4)], (0.2, 0.25), (0.3, 0.35), (0.4, 0.5)]
    looks = [appearance.Look("", {"ssim": figure}, {"here": top1}) for figure, top1 in four]
    assert appearance.correlations(looks, "here")["ssim"] == pytest.approx(0.8)


def test_of_three_variants_no_correlation_is_claimed(tmp_path):
    made, rows = _measured(tmp_path, [0.1, 0.2, 0.3], vary={"dataset.size": [32, 40, 48]}, top1=TOP1[:3])
    found = appearance.appearances(made.root, rows)
    assert appearance.correlations(found, "here") == {"ssim": None}
    assert appearance.table(found, rows)["correlations"] == []


def test_one_dataset_or_none_measured_says_nothing(tmp_path):
    made = make_up(tmp_path / "a", [{"here": [0.1]}, {"here": [0.2]}])
    assert appearance.appearances(made.root, results.read(made.root, made.study).rows) == []
    made = make_up(tmp_path / "b", TOP1, vary=VARY)
    assert appearance.appearances(made.root, results.read(made.root, made.study).rows) == []


def test_the_page_and_its_csv_show_them(tmp_path):
    made, _ = _measured(tmp_path, [0.9, 0.7, 0.8, 0.6])
    build(made.spec_path)
    page = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    assert "What the clips look like" in page
    assert "Rank correlation with top-1 on here" in page
    assert "-1.00" in page
    assert "By dataset.size" in page
    lines = list(csv.reader(io.StringIO((made.spec_path.parent / "looks.csv").read_text(encoding="utf-8"))))
    assert lines[0] == ["variant", "ssim", "top1 on here"]
    assert lines[1] == ["32", "0.9", "0.2"]
    assert lines[-1] == ["rank correlation with top1 on here", "-1.0", ""]
    assert (made.spec_path.parent / "scaling.svg").exists()
