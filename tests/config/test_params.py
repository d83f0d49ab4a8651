"""A configuration is checked whole, before any job, with a line per problem."""

import re
from pathlib import Path

import pytest

from kinefract.benchmarks.base import BENCHMARKS
from kinefract.common.errors import UserError
from kinefract.common.schema import Section
from kinefract.config import params
from kinefract.synth.dataset_recipe import FAMILIES

ROOT = Path(__file__).parents[2]
VARY = "; several are compared by a study's `vary`"


def problems(content) -> list[str]:
    with pytest.raises(UserError) as caught:
        params.parse(content)
    count, *lines = str(caught.value).splitlines()
    assert count == f"the configuration has {len(lines)} problem{'s' * (len(lines) > 1)}"
    assert all(line.startswith("  params.yaml: ") for line in lines)
    return [line.removeprefix("  params.yaml: ") for line in lines]


def test_the_projects_own_configuration_is_in_order():
    own = params.load(ROOT / "params.yaml")
    assert set(own.run) <= own.studies.keys()
    if "fractal" in own.datasets:
        assert own.datasets["fractal"].clips == 100_000  # the paper's supervised set (method, section 3)


def test_paper_defaults_are_the_papers(tiny):
    tiny["pretraining"]["paper"] = {"dataset": "fractal"}
    tiny["finetuning"]["paper"] = {}
    read = params.parse(tiny)
    pre, fine = read.pretraining["paper"], read.finetuning["paper"]
    assert (pre.epochs, pre.warmup_epochs, pre.frames, pre.stride, pre.size) == (25, 3, 8, 2, 112)
    assert (fine.epochs, fine.warmup_epochs, fine.stride, fine.windows, fine.resize) == (100, 10, 6, 10, 128)
    assert (pre.lr, pre.weight_decay, pre.betas, pre.clip_norm) == (8e-4, 0.01, (0.9, 0.999), 5.0)
    assert (pre.crop_area, fine.crop_area) == ((0.9, 1.0), (0.2, 1.0))


@pytest.mark.parametrize(
    ("section", "name", "key", "value", "line"),
    [
        (
            "pretraining",
            "small",
            "epoch",
            3,
            "small.epoch: unknown key (did you mean 'epochs'?), got 3",
        ),
        (
            "pretraining",
            "small",
            "epochs",
            "3",
            "pretraining.small.epochs: wants a whole number, got '3'",
        ),
        (
            "pretraining",
            "small",
            "lr",
            "1e-3",
            "pretraining.small.lr: text to YAML, since its exponent lacks a point",
        ),
        (
            "pretraining",
            "small",
            "objective",
            "mocco",
            "simclr, simsiam, supervised, videomae (did you mean 'moco'?)",
        ),
        ("pretraining", "small", "backbone", "tsm_resnet19", "(did you mean 'tsm_resnet18'?)"),
        (
            "pretraining",
            "small",
            "dataset",
            "fractl",
            "'fractl' is not one of: fractal (did you mean 'fractal'?)",
        ),
        (
            "finetuning",
            "small",
            "flip",
            False,
            "finetuning.small.flip: wants a number; yes, no, on and off are true or false to YAML, got False",
        ),
        (
            "pretraining",
            "small",
            "epochs",
            [5, 10],
            f"epochs: wants a whole number, got [5, 10]{VARY}",
        ),
        ("pretraining", "small", "warmup_epochs", 2, "warmup_epochs: 2.0 leaves nothing of 2 epochs"),
        ("finetuning", "small", "resize", 31, "finetuning.small.resize"),
        ("finetuning", "small", "crop_area", [0.5, 0.2], "crop_area: wants [least, most]"),
        (
            "finetuning",
            "small",
            "flip",
            1.5,
            "finetuning.small.flip: wants at most 1",
        ),
        ("datasets", "fractal", "family", "fractall", "(did you mean 'fractal'?)"),
        ("datasets", "fractal", "size", 49, "datasets.fractal.size: wants a multiple of 2, got 49"),
        ("datasets", "fractal", "frames", [20, 18], "frames: wants [fewest, most]"),
        (
            "datasets",
            "fractal",
            "classes",
            0,
            "datasets.fractal.classes: wants at least 1",
        ),
        ("benchmarks", "motions", "kind", "motion", "(did you mean 'motions'?)"),
        ("studies", "tiny", "benchmarks", ["hmdb"], "studies.tiny.benchmarks: 'hmdb' is not one of: motions"),
        ("studies", "tiny", "vary", {}, "studies.tiny.vary"),
        ("studies", "tiny", "seeds", [], "studies.tiny.seeds"),
    ],
)
def test_a_problem_is_one_line_with_path_value_and_what_is_allowed(tiny, section, name, key, value, line):
    tiny[section][name][key] = value
    found = problems(tiny)
    assert len(found) == 1
    assert line in found[0]


@pytest.mark.parametrize(
    ("section", "key", "value", "line"),
    [
        ("pretraining", "objective", "supervised", "objective: wants text, got %r"),
        ("pretraining", "backbone", "x3d_m", "backbone: wants text, got %r"),
        ("pretraining", "dataset", "fractal", "dataset: wants text, got %r"),
        (
            "pretraining",
            "source",
            "shards",
            "source: wants 'auto', 'shards', 'cache' or 'online', got %r",
        ),
        ("pretraining", "like", "small", "like: %r is not one of: "),
        ("finetuning", "method", "full", "method: wants 'full' or 'linear_probe', got %r"),
        ("finetuning", "like", "small", "like: %r is not one of: "),
        ("datasets", "family", "fractal", "family: %r is not one of: dead_leaves, "),
        ("benchmarks", "kind", "motions", "kind: %r is not one of: csv, "),
        ("studies", "pretraining", "small", "pretraining: wants text, got %r"),
        ("studies", "finetuning", "small", "finetuning: wants text, got %r"),
        ("studies", "like", "tiny", "like: %r is not one of: "),
    ],
)
@pytest.mark.parametrize("wrap", [lambda name: [name], lambda name: {name: 1}], ids=["list", "mapping"])
def test_where_one_name_is_wanted_a_list_or_a_mapping_is_one_line(tiny, section, key, value, line, wrap):
    ((name, recipe),) = tiny[section].items()
    recipe[key] = wrap(value)
    (found,) = problems(tiny)
    assert found.startswith(f"{section}.{name}")
    assert line % (wrap(value),) in found
    # Of a list, where a study could vary it, several were meant to be compared.
    several = section in params.COMPARED and ": wants " in line and isinstance(wrap(value), list)
    assert found.endswith(VARY) == several


def test_all_problems_are_told_at_once(tiny):
    tiny["runs"] = ["tiny"]
    tiny["run"] = ["tinny"]
    tiny["datasets"]["fractal"]["sise"] = 3
    del tiny["studies"]["tiny"]["question"]
    assert len(problems(tiny)) == 4


def test_a_missing_section_and_a_missing_key(tiny):
    del tiny["finetuning"]
    del tiny["pretraining"]["small"]["dataset"]
    found = problems(tiny)
    assert "studies.tiny.finetuning: 'small', but `finetuning:` has no names" in found
    assert "pretraining.small.dataset: missing" in found


@pytest.mark.parametrize("name", params.RULES)
def test_a_study_may_not_take_the_name_of_a_rule(tiny, name):
    tiny["studies"][name] = tiny["studies"]["tiny"]
    assert problems(tiny) == [f"studies.{name}: the name of a rule of the workflow, choose another"]


def test_the_names_of_rules_are_those_of_the_workflow():
    files = [ROOT / "Snakefile", ROOT / "workflow/Snakefile", *(ROOT / "workflow").rglob("*.smk")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = re.findall(r"^ *(?:rule|checkpoint) +(\w+) *:", text, re.MULTILINE)
    assert len(named) > 10
    assert sorted(named) == sorted(params.RULES)


@pytest.mark.parametrize("content", [None, [], "run", {"run": "tiny"}, {"datasets": 3}])
def test_what_is_no_mapping_of_sections_is_refused(content):
    with pytest.raises(UserError):
        params.parse(content)


def test_missing_and_broken_files(tmp_path, tiny, write_params):
    with pytest.raises(UserError, match="no such file"):
        params.load(tmp_path / "params.yaml")
    path = write_params(tmp_path, tiny)
    path.write_text("run: [tiny\n", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        params.load(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"exceptions": {"motion": {"lr": 1.0e-3}}}, "exceptions: 'motion' is not one of"),
        ({"exceptions": {"motions": {"lrr": 1.0e-3}}}, "exceptions.motions.lrr: unknown key"),
        ({"exceptions": {"motions": {"epochs": 1}}}, "warmup_epochs: 1"),
    ],
)
def test_exceptions_are_checked_like_settings(tiny, change, told):
    tiny["finetuning"]["small"] |= change
    with pytest.raises(UserError) as error:
        params.parse(tiny)
    assert told in str(error.value)


def test_published_weights_have_a_name_of_their_own(tiny):
    tiny["weights"] = {"small": {"file": "a.pth"}}
    with pytest.raises(UserError, match="a pre-training is called that too"):
        params.parse(tiny)
    tiny["weights"] = {"mine": {"file": "a.pth", "sha256": "abc", "finetuning": "none"}}
    with pytest.raises(UserError) as error:
        params.parse(tiny)
    assert "weights.mine.sha256" in str(error.value)


def test_a_recipe_is_like_another_in_what_it_does_not_say(tiny):
    tiny["pretraining"]["moco"] = {"like": "small", "objective": "moco", "moco": {"queue": 8}}
    tiny["studies"]["more"] = {"like": "tiny", "vary": {"pretraining.epochs": [2, 3]}, "seeds": [5]}
    tiny["studies"]["most"] = {"like": "more", "question": "And most?"}
    read = params.parse(tiny)
    assert read.pretraining["moco"].width == 8
    assert read.pretraining["moco"].objective == "moco"
    assert read.studies["more"].vary == {"pretraining.epochs": [2, 3]}  # replaced, not merged
    assert read.studies["most"].seeds == [5]
    assert read.studies["most"].question == "And most?"


@pytest.mark.parametrize(
    ("chain", "line"),
    [
        ({"a": "nobody"}, r"a\.like: 'nobody' is not one of: small"),
        ({"a": "a"}, r"a\.like: goes round in a circle: a -> a"),
        ({"a": "b", "b": "c", "c": "b"}, r"c\.like: goes round in a circle: b -> c -> b"),
    ],
)
def test_likeness_ends_somewhere(tiny, chain, line):
    for name, parent in chain.items():
        tiny["finetuning"][name] = {"like": parent}
    (found,) = problems(tiny)
    assert re.match(rf"finetuning\.{line}", found)


def test_a_problem_that_recipes_take_over_is_told_once(tiny):
    """Whoever mistypes a key of a recipe has made one mistake, however many recipes are like it."""
    tiny["pretraining"]["small"]["epoch"] = 3
    tiny["pretraining"] |= {"third": {"like": "second", "lr": "no"}, "second": {"like": "small"}}
    assert problems(tiny) == [
        "pretraining.small.epoch: unknown key (did you mean 'epochs'?), got 3",
        "pretraining.third.lr: wants a number, got 'no'",
    ]


def test_a_recipe_may_be_like_one_that_switches_a_part_off(tiny):
    """The part starts from its defaults again, not from what an ancestor gave it."""
    tiny["finetuning"] |= {
        "a": {"like": "small", "rand_augment": {"operations": 5}},
        "b": {"like": "a", "rand_augment": None},
        "c": {"like": "b", "rand_augment": {"magnitude": 9.0}},
    }
    read = params.parse(tiny).finetuning
    assert read["b"].rand_augment is None
    assert (read["c"].rand_augment.operations, read["c"].rand_augment.magnitude) == (2, 9.0)


def test_a_study_has_one_way_of_saying_what_differs(tiny):
    tiny["studies"]["tiny"]["variants"] = {"one": {}}
    with pytest.raises(UserError, match="wants either `vary` or `variants`"):
        params.parse(tiny)
    tiny["studies"]["tiny"]["seeds"] = [1, 1]
    del tiny["studies"]["tiny"]["variants"]
    with pytest.raises(UserError, match="seeds: one is named twice"):
        params.parse(tiny)


@pytest.mark.parametrize(
    "section", [*FAMILIES.values(), *BENCHMARKS.values(), params.NamedPretraining, params.NamedFinetuning]
)
def test_a_part_of_which_some_keys_are_given_keeps_the_defaults_of_the_others(section):
    parts = [field.default for field in section.model_fields.values() if isinstance(field.default, Section)]
    assert parts == [type(part)() for part in parts]


@pytest.mark.parametrize(("objective", "least"), [("simclr", 2), ("byol", 2), ("moco", 1), ("supervised", 1)])
def test_an_objective_that_compares_clips_wants_two_in_a_batch(tiny, objective, least):
    tiny["pretraining"]["small"] |= {"objective": objective, "batch_size": least}
    params.parse(tiny)
    if least > 1:
        tiny["pretraining"]["small"]["batch_size"] = 1
        (line,) = problems(tiny)
        assert f"batch_size: {objective} compares clips of a batch, and wants at least 2" in line


def test_of_many_problems_the_first_are_shown_and_the_others_counted(tiny):
    tiny["finetuning"]["small"] |= {f"key{number}": 1 for number in range(1000)}
    with pytest.raises(UserError) as error:
        params.parse(tiny)
    first, *lines = str(error.value).splitlines()
    assert first == "the configuration has 1,000 problems"
    assert lines[0] == "  params.yaml: finetuning.small.key0: unknown key, got 1"
    assert len(lines) == 21
    assert lines[-1] == "  and 980 more"


def test_a_key_that_cannot_be_printed_is_shown_escaped(tiny):
    tiny["finetuning"]["small"]["\x1b[31mkey"] = 1
    assert problems(tiny) == [r"finetuning.small.\x1b[31mkey: unknown key, got 1"]


def test_the_parts_of_a_mixture_are_named_by_their_datasets(tiny):
    tiny["datasets"]["noise"] = {"like": "fractal", "seed": 9}
    fractal = tiny["datasets"]["fractal"]
    common = {key: fractal[key] for key in ("classes", "clips_per_class", "size", "frames") if key in fractal}
    tiny["datasets"]["mixed"] = {"family": "mixture", **common, "parts": {"fractal": 0.5, "noise": 1.5}}
    read = params.parse(tiny).datasets
    assert [part.share for part in read["mixed"].parts] == [0.5, 1.5]
    assert [part.recipe for part in read["mixed"].parts] == [read["fractal"], read["noise"]]


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"fractl": 1.0}, "datasets.mixed: parts: 'fractl' is not one of: fractal, mixed"),
        ({"mixed": 1.0}, "datasets.mixed: parts: mixed is a mixture itself; name the parts of that one"),
    ],
)
def test_parts_of_a_mixture_that_are_no_dataset_are_one_problem(tiny, parts, line):
    tiny["datasets"]["mixed"] = {"family": "mixture", "classes": 4, "clips_per_class": 2, "parts": parts}
    (found,) = problems(tiny)
    assert line in found
