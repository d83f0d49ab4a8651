"""A made-up project with a page of each kind: a study's, that of all studies, and a data card."""

from pathlib import Path

from madeup import card_of, make_up, write_index

from kinefract import report
from kinefract.cards import filmed
from kinefract.cards.page import Column
from kinefract.cards.page import html as card_html
from kinefract.common.files import write_json, write_text
from kinefract.config.specs import StudySpec
from kinefract.report.overview import write_overview

SCORES = (0.42, 0.43, 0.55, 0.64)


def make_site(root: Path) -> dict[str, Path]:
    """Write the project; return its pages by kind."""
    write_text(root / "params.yaml", "")
    made = {}
    variants = {"scratch": {"pretraining.objective": "scratch"}}
    variants |= {f"{n} epochs": {"pretraining.epochs": n} for n in (4, 8, 16)}
    scores = [{name: [mean, mean + 0.02, mean + 0.06] for name in ("motions", "gestures")} for mean in SCORES]
    made["longer"] = make_up(root, scores, "Does it help for longer?", variants=variants, name="longer")
    made["other"] = make_up(root, [{"motions": [0.4]}, {"motions": [0.3]}], "Another?", name="other",
                            vary={"pretraining.epochs": [5, 6]}, previews=False)  # fmt: skip
    for number in range(12):
        vary = {"pretraining.epochs": [40 + number, 60 + number]}
        question, top1 = f"Does {number} wait?", [{"motions": [0.4]}, {"motions": [0.3]}]
        waiting = make_up(root, top1, question, name=f"w{number}", vary=vary, previews=False)
        for variant in waiting.study.variants:
            (root / "results/finetune" / variant.runs["motions"][1] / "result.json").unlink()
            (root / "results/pretrain" / variant.pretrains[1] / "result.json").unlink()
        made[waiting.study.study] = waiting
    study = made["longer"].study
    for index in study.benchmarks.values():
        write_index(root / "data/benchmarks" / index)
        write_text(root / "data/benchmarks" / index / "summary.txt", "as found\n")
    for folder in root.glob("results/finetune/*"):
        write_text(root / f"results/logs/finetune/{folder.name}.log", "log\n")
        write_text(folder / "mistakes.png", "")
    dataset = root / "data/synthetic" / study.datasets[0]
    card = card_of(dataset.name) | {
        "figures": filmed.reference(64)["figures"],
        "made_with": {"python": "3.11"},
    }
    write_json(dataset / "card.json", card)
    write_text(dataset / "card.html", card_html([Column("fractal", dataset, card)], dataset / "card.html"))
    for name in ("longer", "other"):
        report.build(made[name].spec_path)
    studies: dict[str, StudySpec] = {name: entry.study for name, entry in made.items()}
    write_overview(root, studies, root / "results/index.html")
    return {
        "study": made["longer"].spec_path.parent / "index.html",
        "overview": root / "results/index.html",
        "card": dataset / "card.html",
    }
