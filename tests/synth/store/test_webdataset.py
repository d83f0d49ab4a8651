"""The real ``webdataset`` library reads shards."""

import pytest
import webdataset

from kinefract import synth, video

RECIPE = {"classes": 3, "clips_per_class": 3, "size": 32, "clips_per_shard": 5}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return (the folder of nine clips in two shards, the clips)."""
    recipe = synth.recipe(family="fractal", points={"steps": 300, "discard": 50}, **RECIPE)
    folder = tmp_path_factory.mktemp("fractals")
    for shard in range(recipe.shards):
        synth.write_shard(recipe, shard, folder)
    synth.join(recipe, folder)
    return folder, synth.Shards(folder)


def test_webdataset_reads_every_clip_with_its_key_its_class_and_its_bytes(made):
    folder, clips = made
    shards = str(folder / "shards" / "{00000..00001}.tar")
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"{number:09d}" for number in range(9)]
    for number, sample in enumerate(samples):
        assert sample.keys() - {"__url__", "__local_path__"} == {"__key__", "mp4", "cls"}
        assert sample["mp4"] == clips.encoded(number)
        assert int(sample["cls"]) == clips.labels[number]


def test_its_decoders_and_batches_work_on_them(made):
    folder, clips = made

    def frames(encoded: bytes):
        return video.decode(encoded, [0, 1], grey=True)

    shards = str(folder / "shards" / "{00000..00001}.tar")
    loaded = webdataset.WebDataset(shards, shardshuffle=False).decode(
        webdataset.handle_extension("mp4", frames)
    )
    batches = list(loaded.to_tuple("mp4", "cls").batched(3))
    assert [batch.shape[:4] for batch, _ in batches] == [(3, 2, 32, 32)] * 3
    assert [label for _, labels in batches for label in labels] == clips.labels.tolist()
