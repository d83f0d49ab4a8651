"""What is pushed to the Hub comes back from it: networks by name, clips to the byte, cards it accepts."""

import json
import re
import shutil
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
import torch
import yaml
from hub import Hub, card_errors
from huggingface_hub import ModelCard, RepoCard
from safetensors.torch import load_file

from kinefract import cli, models, released, synth, video
from kinefract.benchmarks.kinds.own import CsvRecipe
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.specs import DatasetSpec, FinetuneSpec
from kinefract.evaluation.predict import predict_videos
from kinefract.exchange import cards
from kinefract.exchange.networks import find
from kinefract.exchange.push import push
from kinefract.models import weights
from kinefract.training import runs

CLASSES = ["left", "right", "up", "down"]  # of the fixture `finetuned`
RELEASED = "fractal-tsm-resnet18"
TINY = {
    "family": "fractal",
    "classes": 3,
    "clips_per_class": 2,
    "size": 32,
    "frames": (4, 6),
    "clips_per_shard": 4,
    "points": {"steps": 200, "discard": 20, "window_steps": 200},
}


def files(server: Hub, at: str) -> dict[str, bytes]:
    return server.repositories[at].at("main")[1]


def content(server: Hub, at: str) -> set[str]:
    return files(server, at).keys() - {".gitattributes"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Return (the folder of a dataset of two shards, its spec)."""
    spec = DatasetSpec(recipe=synth.recipe(**TINY))
    folder = spec.write(tmp_path_factory.mktemp("project")).parent
    for shard in range(spec.recipe.shards):
        synth.write_shard(spec.recipe, shard, folder)
    synth.join(spec.recipe, folder)
    return folder, spec


def test_a_pre_trained_network_comes_back_by_its_name(the_hub, pretrained, capsys):
    folder, spec = pretrained
    assert cli.main(["push", str(folder), "--repo", "me/tiny", "--license", "mit"]) == 0
    assert f"{the_hub.address}/me/tiny" in capsys.readouterr().out
    assert content(the_hub, "models/me/tiny") == {"README.md", "kinefract.json", "model.safetensors"}
    network = released.load("hf:me/tiny", classes=3)
    source = load_file(folder / "model.safetensors")
    for key, value in network.state_dict().items():
        if not key.startswith(f"{network.classifier}."):
            assert torch.equal(value, source[key]), key
    assert released.facts("hf:me/tiny").run == spec.id
    assert not any(name.endswith((".pt", ".pth", ".bin", ".pkl")) for name in the_hub.asked)


def test_a_fine_tuned_network_names_actions_from_the_hub(the_hub, finetuned, tmp_path):
    push(str(finetuned), "me/actions")
    clip = torch.randint(0, 256, (20, 40, 48, 3), dtype=torch.uint8).numpy()
    (tmp_path / "v.mp4").write_bytes(video.encode(clip, 12, 10))
    here = predict_videos(finetuned, [tmp_path / "v.mp4"], accelerator="cpu")
    there = predict_videos("hf:me/actions", [tmp_path / "v.mp4"], accelerator="cpu")
    assert there == here
    assert {name for name, _ in there[0]} == set(CLASSES)
    assert find("hf:me/actions").classes == CLASSES
    data = ModelCard(files(the_hub, "models/me/actions")["README.md"].decode()).data
    assert [result.metric_value for result in data.eval_results] == [0.5, 1.0]


def test_a_pre_trained_network_names_no_actions(the_hub, pretrained):
    push(str(pretrained[0]), "me/tiny")
    with pytest.raises(UserError, match="hf:me/tiny: a pre-trained network, which names no actions"):
        predict_videos("hf:me/tiny", ["v.mp4"])


def test_the_network_that_comes_with_it_goes_there_as_it_is(the_hub):
    push(RELEASED, "me/copy")
    assert released.facts("hf:me/copy") == released.facts(RELEASED)
    assert files(the_hub, "models/me/copy")["model.safetensors"] == released.path(RELEASED).read_bytes()
    own, theirs = released.load(RELEASED), released.load("hf:me/copy")
    assert all(torch.equal(own.state_dict()[key], value) for key, value in theirs.state_dict().items())


def test_a_released_network_without_a_page_is_one_clear_error(the_hub, monkeypatch, tmp_path):
    for suffix in (".json", ".safetensors"):
        shutil.copy(released.path(RELEASED).with_suffix(suffix), tmp_path / f"mine{suffix}")
    facts = released.facts(RELEASED)
    monkeypatch.setattr(released, "names", lambda: ["mine"])
    monkeypatch.setattr(released, "checked", lambda name: (facts, tmp_path / f"{name}.safetensors"))
    with pytest.raises(UserError, match=r"mine\.md: no such file; write the page of this network first"):
        push("mine", "me/mine")


def test_the_card_says_which_videos_were_tested():
    for share, tested in ((0.0, "test"), (0.25, "validation")):
        recipe = CsvRecipe(file="videos.csv", validation=share)
        spec = FinetuneSpec.model_validate(
            {
                "recipe": {},
                "network": {"backbone": "tsm_resnet18", "width": 8},
                "benchmark": {"recipe": recipe.model_dump()},
                "init": None,
                "seed": 1,
            }
        )
        assert cards._tested(spec) == tested
        figures = dict(cards._figures(spec, {"top1": 0.5, "videos": 1200}))
        assert figures == {"top-1": "50.0 %", f"{tested} videos": "1,200 of csv", "seed": "1"}


def test_a_study_starts_from_it_by_the_lines_of_its_card(the_hub, pretrained, tiny, tmp_path):
    push(str(pretrained[0]), "me/tiny")
    card = files(the_hub, "models/me/tiny")["README.md"].decode()
    tiny["weights"] = yaml.safe_load(re.search(r"```yaml\n(.*?)```", card, re.DOTALL)[1])["weights"]
    study = next(iter(tiny["studies"].values()))
    study.pop("vary", None)
    study["variants"] = {"scratch": {"init": "scratch"}, "theirs": {"init": "published"}}
    asked = len(the_hub.asked)
    planned = plan.resolve(params.parse(tiny))
    assert len(the_hub.asked) == asked  # nothing is asked of the Hub before a run needs it
    spec = next(spec for spec in planned.finetunes.values() if spec.init is not None)
    assert spec.init == released.recipe("hf:me/tiny")
    network = weights.seeded(9, models.build, spec.network.backbone, spec.network.width, 8, 4, 0.0)
    runs._start(spec, network, tmp_path)
    loaded = released.load("hf:me/tiny", classes=4)
    for key, value in loaded.state_dict().items():
        if not key.startswith(f"{loaded.classifier}."):
            assert torch.equal(network.state_dict()[key], value), key


def test_a_start_on_the_hub_is_fixed_by_its_sha256(the_hub, finetuned, pretrained, tiny, tmp_path):
    study = next(iter(tiny["studies"].values()))
    tiny["weights"] = {"theirs": {"backbone": "tsm_resnet18", "width": 8, "file": "hf:me/tiny"}}
    with pytest.raises(
        UserError, match=r"weights\.theirs.*sha256: wanted beside hf:me/tiny, which may change"
    ):
        params.parse(tiny)
    tiny["weights"] = {}
    study["vary"] = {"init": ["scratch", "hf:me/tiny"]}
    with pytest.raises(UserError, match="hf:me/tiny: what lies there may change; add") as caught:
        plan.resolve(params.parse(tiny))
    push(str(pretrained[0]), "me/tiny")
    entry = yaml.safe_load(re.search(r"add `(.*?)` under weights:", str(caught.value))[1])
    card = files(the_hub, "models/me/tiny")["README.md"].decode()
    stated = yaml.safe_load(re.search(r"```yaml\n(.*?)```", card, re.DOTALL)[1])["weights"]
    assert entry["published"].keys() == stated["published"].keys()
    assert entry["published"]["file"] == stated["published"]["file"] == "hf:me/tiny"
    assert str(caught.value).endswith("write `init: published`")
    fixed = released.recipe("hf:me/tiny")
    push(str(finetuned), "me/tiny")
    spec = FinetuneSpec.read(finetuned / "spec.yaml").model_copy(update={"init": fixed})
    network = weights.seeded(9, models.build, "tsm_resnet18", 8, 4, 4, 0.0)
    with pytest.raises(UserError, match=f"the configuration wants {fixed.sha256}"):
        runs._start(spec, network, tmp_path)


def test_clips_come_back_to_the_byte_and_can_be_verified(the_hub, dataset, tmp_path, monkeypatch, capsys):
    folder, spec = dataset
    push(str(folder), "me/clips", license="cc0-1.0")
    copy = tmp_path / spec.folder
    huggingface_hub.snapshot_download("me/clips", repo_type="dataset", local_dir=copy)
    clips, own = synth.Shards(copy), synth.Shards(folder)
    assert len(clips) == 6
    assert all(clips.encoded(number) == own.encoded(number) for number in range(6))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["verify", str(copy)]) == 0
    card = RepoCard(files(the_hub, "datasets/me/clips")["README.md"].decode())
    assert card.data.license == "cc0-1.0"
    assert card.data.size_categories == ["n<1K"]
    assert "{00000..00001}.tar" in str(card)


def test_a_smaller_dataset_leaves_no_shard_of_a_larger_one(the_hub, dataset, tmp_path):
    push(str(dataset[0]), "me/clips")
    small = DatasetSpec(recipe=synth.recipe(**TINY | {"clips_per_class": 1}))
    place = small.write(tmp_path).parent
    synth.write_shard(small.recipe, 0, place)
    shutil.copy(place / "shards/00000.csv", place / "manifest.csv")
    push(str(place), "me/clips")
    shards = {name for name in content(the_hub, "datasets/me/clips") if name.startswith("shards/")}
    assert shards == {"shards/00000.tar", "shards/00000.csv"}


def test_a_dry_run_writes_what_would_be_there_and_asks_nothing(the_hub, finetuned, monkeypatch, capsys):
    monkeypatch.chdir(finetuned.parents[2])
    assert cli.main(["push", finetuned.name, "--repo", "me/actions", "--dry-run"]) == 0
    assert the_hub.asked == []
    folder = Path("results/hub/me--actions")
    assert str(folder) in capsys.readouterr().out
    push(finetuned.name, "me/actions")
    there = files(the_hub, "models/me/actions")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: there[name] for name in content(the_hub, "models/me/actions")
    }


def test_a_private_repository_is_read_with_a_token_alone(the_hub, finetuned, monkeypatch, tmp_path):
    push(str(finetuned), "me/secret", private=True)
    assert the_hub.repositories["models/me/secret"].private
    released.facts("hf:me/secret")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "of another"))
    with pytest.raises(UserError, match="has no such repository, or it is private; `hf auth login`"):
        released.facts("hf:me/secret")


def test_what_was_public_does_not_become_private(the_hub, finetuned):
    push(str(finetuned), "me/open")
    before = list(the_hub.repositories["models/me/open"].commits)
    with pytest.raises(UserError, match="me/open: is there already and is public"):
        push(str(finetuned), "me/open", private=True)
    assert list(the_hub.repositories["models/me/open"].commits) == before


def test_the_hubs_checks_of_cards_are_heard(the_hub, finetuned):
    with pytest.raises(UserError, match='"license" must be one of'):
        push(str(finetuned), "me/actions", license="mine")
    assert content(the_hub, "models/me/actions") == set()


def test_cards_have_no_fault_that_the_checks_know(the_hub, finetuned, pretrained, dataset):
    for name, kind in (
        (finetuned, "model"),
        (pretrained[0], "model"),
        (RELEASED, "model"),
        (dataset[0], "dataset"),
    ):
        push(str(name), "me/it")
        card = files(the_hub, f"{kind}s/me/it")["README.md"].decode()
        assert card_errors(kind, card) == []
        RepoCard(card).validate(kind)


def test_another_file_than_the_facts_tell_of_is_refused(the_hub, pretrained):
    push(str(pretrained[0]), "me/tiny")
    repository = the_hub.repositories["models/me/tiny"]
    there = files(the_hub, "models/me/tiny")
    repository.commit({**there, "model.safetensors": there["model.safetensors"][:-1] + b"x"})
    with pytest.raises(
        UserError, match="not the weights that the facts of hf:me/tiny tell of; push it again"
    ):
        released.load("hf:me/tiny")


def test_a_revision_stays_what_it_was(the_hub, pretrained, finetuned):
    push(str(pretrained[0]), "me/tiny")
    oid = next(reversed(the_hub.repositories["models/me/tiny"].commits))
    push(str(finetuned), "me/tiny")
    assert released.facts(f"hf:me/tiny@{oid}").run == pretrained[1].id
    assert released.facts("hf:me/tiny").run == finetuned.name
    with pytest.raises(UserError, match="has no such revision of it"):
        released.facts("hf:me/tiny@v9")


def test_what_cannot_be_fetched_is_said_in_a_line(the_hub, monkeypatch):
    with pytest.raises(UserError, match=r"hf:me: wants hf:owner/name"):
        released.facts("hf:me")
    with pytest.raises(UserError, match=r"hf:me/none: .* has no such repository"):
        released.load("hf:me/none")
    api = huggingface_hub.HfApi(endpoint=the_hub.address, token=Hub.TOKEN)
    api.create_repo("me/other")
    with pytest.raises(
        UserError, match="hf:me/other: its repository lacks a file, so `kinefract push` did not"
    ):
        released.load("hf:me/other")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # with which huggingface_hub tries again
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        "http://127.0.0.1:9/{repo_id}/{revision}/{filename}",
    )
    with pytest.raises(UserError, match="cannot be reached, and this machine's cache does not hold it"):
        released.load("hf:me/none")


def test_without_a_token_or_with_a_bad_name_nothing_is_made(the_hub, finetuned, monkeypatch):
    with pytest.raises(UserError, match="--repo: wants owner/name, got 'name'"):
        push(str(finetuned), "name")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(UserError, match="does not let you; run `hf auth login`, or set HF_TOKEN"):
        push(str(finetuned), "me/actions")
    assert the_hub.repositories == {}


def test_what_is_neither_a_run_nor_a_dataset_is_refused(the_hub, finetuned, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither a run nor a dataset"):
        push(str(tmp_path / "empty"), "me/x")
    broken = tmp_path / "broken"
    shutil.copytree(finetuned, broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        push(str(broken), "me/x")


def test_a_missing_package_is_named_with_its_extra(finetuned, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for use in (lambda: released.load("hf:me/x"), lambda: push(str(finetuned), "me/x")):
        with pytest.raises(
            UserError, match=r"huggingface_hub is not installed; pip install 'kinefract\[hub\]'"
        ):
            use()


def test_facts_of_strangers_are_checked(the_hub, pretrained):
    push(str(pretrained[0]), "me/tiny")
    there = files(the_hub, "models/me/tiny")
    wrong = {**json.loads(there["kinefract.json"]), "width": 10**9}
    the_hub.repositories["models/me/tiny"].commit({**there, "kinefract.json": json.dumps(wrong).encode()})
    with pytest.raises(UserError, match=r"cannot be read as facts of a network: width: "):
        released.load("hf:me/tiny")
