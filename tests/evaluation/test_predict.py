"""A finished network on other videos: mapped by class name, and on files without a label."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kinefract import models, video
from kinefract.augment.basic import normalise
from kinefract.benchmarks.base import Video
from kinefract.benchmarks.kinds.motions import MotionsRecipe
from kinefract.common.errors import UserError
from kinefract.common.files import write_json
from kinefract.config.networks import NetworkRecipe
from kinefract.config.phases import FinetuneRecipe
from kinefract.config.specs import BenchmarkSpec, FinetuneSpec
from kinefract.evaluation.predict import evaluate_run, json_text, load, predict_videos, text
from kinefract.models import weights

CLASSES = ["left", "right", "up", "down"]
SPEC = FinetuneSpec(
    recipe=FinetuneRecipe(
        size=32, resize=32, stride=2, frames=4, windows=3, epochs=1, warmup_epochs=0, threads=1
    ),
    network=NetworkRecipe(backbone="tsm_resnet18", width=8),
    benchmark=BenchmarkSpec(recipe=MotionsRecipe(kind="motions")),
    init=None,
    seed=1,
)


def network():
    """Return the tiny network, with a last layer that tells clips apart."""
    model = weights.seeded(1, models.build, "tsm_resnet18", 8, 4, len(CLASSES), 0.8).eval()
    with torch.no_grad():
        model.new_fc.weight.mul_(300)
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a finished run and videos of different pictures, sizes, lengths and containers."""
    root = tmp_path_factory.mktemp("project")
    run = SPEC.write(root).parent
    write_json(run / "classes.json", CLASSES)
    weights.save(network(), run / "model.safetensors", SPEC.id)
    rng = np.random.Generator(np.random.Philox(3))
    (root / "clips").mkdir()
    for number, (frames, height, width) in enumerate([(20, 48, 64), (3, 32, 32), (33, 64, 36), (9, 32, 40)]):
        blocks = rng.integers(0, 256, (frames, 4, 4, 3)).astype(np.uint8)
        clip = blocks.repeat(height // 4, 1).repeat(width // 4, 2)
        (root / f"clips/v{number}.mp4").write_bytes(video.encode(clip, 12, 10))
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy of it, free to be changed, as the current folder."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def run(project):
    return project / SPEC.folder


def listed(root, classes, split="test"):
    """Videos as an index lists them, with a class each and labels of its own."""
    own = sorted(set(classes))
    videos = []
    for number, name in enumerate(classes):
        path = root / f"clips/v{number}.mp4"
        info = video.probe(path)
        labels = {"label": own.index(name), "class_name": name, "split": split}
        videos.append(Video(path=path, **labels, **info._asdict(), start=0, end=info.frames))
    return videos


def by_hand(path):
    """Return the mean softmax over windows, computed one window at a time."""
    model, frames = network(), video.decode(path)
    model.load_state_dict(load_file(path.parents[1] / SPEC.folder / "model.safetensors"))
    short = 32 / min(frames.shape[1:3])
    height, width = (max(32, round(side * short)) for side in frames.shape[1:3])
    room = max(0, len(frames) - 7)
    outputs = []
    for start in sorted({round(room * part) for part in (0, 0.5, 1)} if room else {0}):
        numbers = [min(start + 2 * step, len(frames) - 1) for step in range(4)]
        clip = torch.from_numpy(frames[numbers]).permute(0, 3, 1, 2).float()
        clip = torch.nn.functional.interpolate(clip, (height, width), mode="bicubic", antialias=True)
        top, left = (height - 32) // 2, (width - 32) // 2
        clip = clip.round().clamp(0, 255)[..., top : top + 32, left : left + 32]
        with torch.no_grad():
            outputs.append(model(normalise(clip[None] / 255)).softmax(1)[0])
    return torch.stack(outputs).mean(0).numpy()


def test_a_prediction_is_the_mean_over_windows(project, run):
    for number in range(4):
        path = project / f"clips/v{number}.mp4"
        guesses = predict_videos(run, [path], top=4)[0]
        assert [probability for _, probability in guesses] == sorted((p for _, p in guesses), reverse=True)
        expected = dict(zip(CLASSES, by_hand(path).tolist(), strict=True))
        assert dict(guesses) == pytest.approx(expected, abs=1e-4)
        assert max(expected.values()) > 0.3  # the network tells its classes apart


def test_a_run_is_found_by_folder_and_by_id(project, run):
    clips = ["clips/v0.mp4", "clips/v1.mp4"]
    found = predict_videos(SPEC.id, clips, top=2)
    assert found == predict_videos(SPEC.folder, clips, 2) == predict_videos(run, clips, 2, workers=1)
    assert [len(guesses) for guesses in found] == [2, 2]
    assert len(predict_videos(SPEC.id, clips[:1], top=9)[0]) == 4
    with pytest.raises(UserError, match=rf"did you mean '{SPEC.id}'"):
        load(SPEC.id[:-1])


def test_a_run_is_used_wherever_it_was_copied(project, run, tmp_path):
    shutil.copytree(run, tmp_path / "kept")
    assert load(tmp_path / "kept").classes == CLASSES


def test_without_its_own_list_classes_are_those_of_the_index(project, run):
    index = project / SPEC.benchmark.folder
    (run / "classes.json").unlink()
    with pytest.raises(UserError, match="names of the run's classes are missing"):
        load(run)
    write_json(index / "classes.json", CLASSES[::-1])
    assert load(run).classes == CLASSES[::-1]
    write_json(run / "classes.json", CLASSES)
    assert load(run).classes == CLASSES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "cannot be read as JSON"),
        ('{"left": 0}', "wants a list"),
        ('["left", "left", "up", "down"]', "each once"),
        ("[]", "at least one"),
        ('["left", "right"]', "do not fit the backbone"),
    ],
)
def test_a_damaged_list_of_classes_is_named(run, content, message):
    (run / "classes.json").write_text(content)
    with pytest.raises(UserError, match=message):
        load(run)


def test_an_unfinished_or_damaged_run_is_refused(run):
    (run / "model.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(UserError, match="safetensors"):
        load(run)
    (run / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not finished"):
        load(run)


def test_the_callers_generator_is_left_alone(run):
    before = torch.random.get_rng_state()
    load(run)
    assert torch.equal(before, torch.random.get_rng_state())


def test_unreadable_videos_are_all_named(project, run):
    (project / "text.avi").write_text("no video")
    with pytest.raises(UserError, match="2 of 3 videos cannot be used") as caught:
        predict_videos(run, ["text.avi", "clips/v0.mp4", "gone.mp4"])
    assert "text.avi" in str(caught.value) and "gone.mp4" in str(caught.value)
    assert "v0.mp4" not in str(caught.value)


def test_another_container_with_the_same_pictures_gives_the_same(project, run):
    import av

    with av.open("clips/v0.mp4") as source, av.open("v0.mkv", "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert predict_videos(run, ["v0.mkv"]) == predict_videos(run, ["clips/v0.mp4"])


def test_listings():
    paths, found = ["a.mp4", "n\udcff.avi"], [[("left", 0.75), ("upwards", 0.25)], [("left", 0.001)]]
    lines = text(paths, found).splitlines()
    assert lines[0] == "a.mp4" and lines[3] == "n\\udcff.avi"
    assert lines[1] == "  left      75.0 %  " + "█" * 18
    assert lines[2] == "  upwards   25.0 %  " + "█" * 6
    assert lines[4] == "  left       0.1 %"
    read = json.loads(json_text(paths, found))
    assert [video["video"] for video in read] == paths
    assert [[(c["class"], c["probability"]) for c in video["classes"]] for video in read] == found


def taken_for(project, run):
    """Return what the network says of each of the four videos."""
    return [predict_videos(run, [project / f"clips/v{number}.mp4"], 1)[0][0][0] for number in range(4)]


def test_labels_are_mapped_by_name_whatever_their_order(project, run):
    said = taken_for(project, run)
    other = next(name for name in CLASSES if name != said[0])
    videos = listed(project, [other, *said[1:]])
    # Labels of their own, in the reverse of the network's order.
    reverse = {name: label for label, name in enumerate(CLASSES[::-1])}
    videos = [entry._replace(label=reverse[entry.class_name]) for entry in videos]
    result = evaluate_run(run, videos, project / "out")
    assert result["top1"] == 3 / 4 and result["top5"] == 1.0 and result["videos"] == 4
    assert result == json.loads((project / "out/result.json").read_text()) and result["run"] == SPEC.id
    with (project / "out/predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == [f"clips/v{number}.mp4" for number in range(4)]
    assert [CLASSES[int(row["label"])] for row in rows] == [other, *said[1:]]
    assert [CLASSES[int(row["predicted"])] for row in rows] == said
    assert {path.name for path in (project / "out").iterdir()} == {
        *("predictions.csv", "per_class.csv", "confusion.svg", "mistakes.png", "result.json")
    }


def test_some_of_the_classes_are_enough(project, run):
    videos = listed(project, ["down"] * 4)
    assert {entry.label for entry in videos} == {0}
    said = taken_for(project, run)
    result = evaluate_run(SPEC.id, videos, project / "out")
    assert result["top1"] == result["mean_class_accuracy"] == said.count("down") / 4
    with (project / "out/per_class.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["class"] for row in csv.DictReader(stream)] == CLASSES


def test_unknown_classes_are_listed(project, run):
    videos = listed(project, ["left", "Right", "sideways", "up"])
    with pytest.raises(UserError, match="2 classes of the videos are not among the 4") as caught:
        evaluate_run(run, videos, project / "out")
    assert "'Right' (did you mean 'right'?)" in str(caught.value) and "'sideways'" in str(caught.value)
    assert "'up'" not in str(caught.value)
    assert not (project / "out").exists()


def test_splits(project, run):
    videos = listed(project, ["left"] * 4)
    videos = [entry._replace(split="train") for entry in videos[:3]] + videos[3:]
    counts = {
        split: evaluate_run(run, videos, project / split, split)["videos"]
        for split in ("test", "train", "all")
    }
    assert counts == {"test": 1, "train": 3, "all": 4}
    assert evaluate_run(run, videos, project / "by default")["videos"] == 1
    with pytest.raises(UserError, match=r"split 'tset'.*did you mean 'test'"):
        evaluate_run(run, videos, project / "out", "tset")


def test_an_index_folder_is_read(project, run):
    from kinefract.benchmarks import index

    videos = listed(project, taken_for(project, run))
    names = sorted({entry.class_name for entry in videos})
    write_json(project / "index/classes.json", names)
    videos = [entry._replace(label=names.index(entry.class_name)) for entry in videos]
    with (project / "index/index.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(Video._fields)
        writer.writerows(entry._replace(path=f"../clips/v{n}.mp4") for n, entry in enumerate(videos))
    assert index.read(project / "index") == videos
    assert evaluate_run(run, project / "index", project / "out")["top1"] == 1.0
    with pytest.raises(UserError, match="no videos in class folders"):
        evaluate_run(run, project / "clips", project / "out")


def test_a_runs_own_results_are_not_overwritten(project, run):
    with pytest.raises(UserError, match="belongs to a run"):
        evaluate_run(run, listed(project, ["left"] * 4), run)
