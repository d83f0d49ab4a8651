"""Networks in other programs' formats give there what they give here."""

import json
import re
import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
from equivalents import Mmaction18, Torchvision18
from safetensors.torch import load_file

from kinefract import cli, models, released, video
from kinefract.augment.basic import IMAGENET_MEAN, normalise
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.config.phases import FinetuneRecipe
from kinefract.exchange.export import export
from kinefract.exchange.networks import Network, find
from kinefract.models import weights
from kinefract.training.data import EvaluationWindows, Videos

CLASSES = ["left", "right", "up", "down"]  # of the fixture `finetuned`
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "weights.md"
TORCHVISION = re.compile(r"<!-- torchvision -->\n```python\n(.*?)```", re.DOTALL)


def clips(count: int, frames: int, size: int) -> torch.Tensor:
    return torch.randn(count, frames, 3, size, size, generator=torch.Generator().manual_seed(4))


def outputs(path: Path, given: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what onnxruntime computes, by the name of the output."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {"clips": given.numpy()})
    return dict(zip(names, map(torch.from_numpy, found), strict=True))


def narrow(model: torch.nn.Module, state: dict[str, torch.Tensor], frames: int):
    """Run the page's lines that give torchvision's network the tensors of a file, and the shift."""
    names = {"network": model, "state": state, "frames": frames}
    exec(TORCHVISION.search(PAGE.read_text(encoding="utf-8"))[1], names)
    return lambda given: names["logits"](given)


def test_an_onnx_file_takes_any_number_of_clips_and_tells_how(finetuned, tmp_path, capsys):
    path = tmp_path / "network.onnx"
    assert cli.main(["export-model", str(finetuned), "--to", "onnx", "--output", str(path)]) == 0
    assert "clips (batch, 4, 3, 32, 32) to logits (batch, 4)" in capsys.readouterr().out
    network = find(str(finetuned)).model
    for count in (1, 2, 5):
        given = clips(count, 4, 32)
        with torch.no_grad():
            torch.testing.assert_close(outputs(path, given)["logits"], network(given), rtol=1e-4, atol=1e-4)
    told = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == CLASSES
    assert json.loads(told["mean"]) == list(IMAGENET_MEAN)
    assert told["run"] == finetuned.name
    assert str(ROOT).encode() not in path.read_bytes()


@pytest.mark.parametrize("backbone", ["tsm_resnet18", "x3d_m"])
def test_torchscript_takes_every_backbone_and_any_number_of_clips(backbone, tmp_path):
    model = weights.seeded(1, models.build, backbone, 8, 4, 3, 0.5).eval()
    network = Network("some-run", backbone, 8, 4, 32, model, ["a", "b", "c"])
    told = export(network, "torchscript", tmp_path / "network.pt")
    assert "logits (batch, 3)" in told
    loaded = torch.jit.load(tmp_path / "network.pt")
    for count in (1, 4):
        given = clips(count, 4, 32)
        with torch.no_grad():
            torch.testing.assert_close(loaded(given), model(given))


def test_a_pre_trained_network_gives_features_and_keeps_no_classifier(pretrained, tmp_path):
    folder, spec = pretrained
    network = find(str(folder))
    path = tmp_path / "features.pt"
    export(network, "torchscript", path)
    given = clips(2, spec.recipe.frames, spec.recipe.size)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(path)(given), network.model.features(given))
    export(network, "safetensors", tmp_path / "w.safetensors")
    written = load_file(tmp_path / "w.safetensors")
    source = load_file(folder / "model.safetensors")
    assert source.keys() - written.keys() == {"new_fc.weight", "new_fc.bias"}
    assert all(torch.equal(value, source[key]) for key, value in written.items())


def test_a_graph_that_gives_something_else_is_not_kept(finetuned, tmp_path, monkeypatch):
    network, other = find(str(finetuned)), find(str(finetuned))
    with torch.no_grad():
        other.model.new_fc.bias[0] += 1
    trace = torch.jit.trace
    monkeypatch.setattr(torch.jit, "trace", lambda _, given, **options: trace(other.model, given, **options))
    path = tmp_path / "network.pt"
    path.write_bytes(b"before")
    with pytest.raises(UserError, match="gives other outputs than the network for 1 clips"):
        export(network, "torchscript", path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.glob("*network*")) == [path]


def test_the_tensors_of_the_other_libraries_compute_the_same_there(finetuned, tmp_path):
    network, given = find(str(finetuned)), clips(3, 4, 32)
    with torch.no_grad():
        expected = network.model(given)
        assert expected.std() > 0.01
        export(network, "torchvision", tmp_path / "tv.safetensors")
        theirs = narrow(Torchvision18(64, 4).eval(), load_file(tmp_path / "tv.safetensors"), 4)
        torch.testing.assert_close(theirs(given), expected, rtol=1e-4, atol=1e-4)
        export(network, "mmaction2", tmp_path / "mm.pth")
        mmaction = Mmaction18(8, 4, 4)
        mmaction.load_state_dict(torch.load(tmp_path / "mm.pth", weights_only=True)["state_dict"])
        torch.testing.assert_close(mmaction.eval()(given), expected, rtol=1e-4, atol=1e-4)


def test_files_and_names_that_do_not_fit_are_named(finetuned, tmp_path, capsys):
    def said(*arguments):
        assert cli.main(["export-model", *map(str, arguments)]) == 1
        return capsys.readouterr().err

    out = tmp_path / "network.bin"
    assert "a file for onnx ends in .onnx" in said(finetuned, "--to", "onnx", "--output", out)
    assert "these come with kinefract: fractal-tsm-resnet18" in said("no", "--to", "onnx", "--output", out)
    (finetuned / "model.safetensors").unlink()
    assert "not finished" in said(finetuned, "--to", "torchscript", "--output", tmp_path / "n.pt")


def test_a_missing_package_is_named_with_its_extra(finetuned, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"onnxscript is not installed; pip install 'kinefract\[onnx\]'"):
        export(find(str(finetuned)), "onnx", tmp_path / "network.onnx")


@pytest.fixture
def real_clips(shared) -> torch.Tensor:
    """Return a window of one test video of each of ten classes of UCF101: float (10, 8, 3, 64, 64)."""
    recipe = FinetuneRecipe(size=64, resize=64, frames=8, stride=2, windows=1, threads=1)
    root = shared / "data/ucf101_10"
    lines = (root / "ucfTrainTestlist/testlist01.txt").read_text().split()
    chosen = {}
    for line in lines:
        if (root / "UCF-101" / line).is_file():
            chosen.setdefault(line.partition("/")[0], root / "UCF-101" / line)
    assert len(chosen) == 10
    videos = [
        Video(path=path, label=0, class_name="", split="test", **video.probe(path)._asdict(), start=0, end=1)
        for path in chosen.values()
    ]
    videos = [item._replace(end=item.frames) for item in videos]
    windows = EvaluationWindows(Videos(videos), recipe)
    return torch.cat([normalise(windows[place]) for place in range(10)])


def test_the_released_network_names_the_same_five_on_ten_real_clips_in_all_formats(real_clips, tmp_path):
    """Its classifier, which it lacks, is drawn at random; torchvision's network is an equivalent of it."""
    facts = released.facts("fractal-tsm-resnet18")
    model = released.load("fractal-tsm-resnet18", classes=10)
    names = [f"class {number}" for number in range(10)]
    network = Network(facts.run, facts.backbone, facts.width, facts.frames, facts.size, model, names)
    with torch.no_grad():
        expected = model(real_clips)
    five = expected.topk(5).indices
    assert len({tuple(row) for row in five.tolist()}) > 1
    export(network, "onnx", tmp_path / "network.onnx")
    assert torch.equal(outputs(tmp_path / "network.onnx", real_clips)["logits"].topk(5).indices, five)
    export(network, "torchvision", tmp_path / "network.safetensors")
    theirs = narrow(Torchvision18(64, 10).eval(), load_file(tmp_path / "network.safetensors"), facts.frames)
    with torch.no_grad():
        assert torch.equal(theirs(real_clips).topk(5).indices, five)
