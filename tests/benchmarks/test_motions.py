"""The made benchmark: what its clips show, and that the state in one frame is the same in all classes."""

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract import video
from kinefract.benchmarks.kinds import motions
from kinefract.benchmarks.kinds.motions import CLASSES, MotionsRecipe

RECIPE = MotionsRecipe()
CLIPS = 400
# Kolmogorov: P(sqrt(n) D > 2.5) = 2 exp(-2 * 2.5^2) = 7e-6, below 0.2 % for any of the hundreds made here.
KS_LIMIT = 2.5


@pytest.fixture(scope="module")
def tracks():
    """States by class: (12, CLIPS, T, 4)."""
    return np.array(
        [[motions.track(RECIPE, label, "train", i) for i in range(CLIPS)] for label in range(len(CLASSES))]
    )


def steps(tracks):
    """Signed change from frame to frame, the short way round the circle."""
    return (np.diff(tracks, axis=-2) + 0.5) % 1 - 0.5


def test_a_clip_is_a_function_of_its_place_alone():
    first = motions.clip(RECIPE, 3, "test", 5)
    motions.clip(RECIPE, 0, "train", 0)
    assert np.array_equal(first, motions.clip(MotionsRecipe(), 3, "test", 5))
    assert first.shape == (20, 64, 64, 3)
    assert first.dtype == np.uint8
    # Also of a recipe with other counts, so that a larger benchmark contains the smaller one.
    assert np.array_equal(first, motions.clip(MotionsRecipe(test_per_class=1), 3, "test", 5))


@pytest.mark.parametrize(
    ("recipe", "label", "split", "index"),
    [
        (RECIPE, 3, "test", 6),
        (RECIPE, 3, "train", 5),
        (RECIPE, 4, "test", 5),
        (MotionsRecipe(seed=2), 3, "test", 5),
    ],
)
def test_any_other_place_gives_another_clip(recipe, label, split, index):
    one, other = motions.clip(RECIPE, 3, "test", 5)[0], motions.clip(recipe, label, split, index)[0]
    assert np.abs(one.astype(int) - other).mean() > 5


def test_at_every_frame_the_state_is_uniform_in_every_class(tracks):
    expected = (np.arange(CLIPS) + 0.5) / CLIPS
    for frame in (0, 1, 7, 13, 19):
        ranked = np.sort(tracks[:, :, frame], axis=1)  # (12, CLIPS, 4)
        distance = np.abs(ranked - expected[:, None]).max(axis=1) + 0.5 / CLIPS
        assert (np.sqrt(CLIPS) * distance).max() < KS_LIMIT


def test_at_every_frame_the_four_phases_are_independent(tracks):
    # For independent uniform phases, a + b and a - b are uniform too: n |mean exp(2 pi i .)|^2 is then
    # exponential, beyond 16 with probability 1e-7.
    for frame in (0, 7, 19):
        for a in range(4):
            for b in range(a):
                for sign in (-1, 1):
                    phase = tracks[:, :, frame, a] + sign * tracks[:, :, frame, b]
                    power = CLIPS * np.abs(np.exp(2j * np.pi * phase).mean(axis=1)) ** 2
                    assert power.max() < 16


def test_one_phase_moves_at_the_speeds_asked_for(tracks):
    moved = steps(tracks)
    for label in range(len(CLASSES)):
        axis, motion = divmod(label, 3)
        others = np.delete(moved[label], axis, axis=-1)
        assert np.abs(others).max() < 1e-12
        speeds = moved[label][..., axis]
        assert np.abs(speeds).max() <= RECIPE.speed[1] + 1e-12
        if motion < 2:
            assert (np.abs(speeds) >= RECIPE.speed[0] - 1e-12).all()
            assert (np.sign(speeds) == (1, -1)[motion]).all()


def test_back_and_forth_turns_round_within_any_fifteen_frames(tracks):
    for axis in range(4):
        direction = np.sign(steps(tracks)[3 * axis + 2][..., axis])
        for start in range(RECIPE.frames - 14):
            window = direction[:, start : start + 14]
            assert (window.min(axis=1) < 0).all()
            assert (window.max(axis=1) > 0).all()


def test_backward_is_forward_reversed_in_distribution(tracks):
    for axis in range(4):
        reversed_forward = steps(tracks[3 * axis][:, ::-1])[:, :, axis]
        backward = steps(tracks[3 * axis + 1])[:, :, axis]
        # Within a clip the speed is constant, so that one number a clip and the uniform start say it all.
        assert np.abs(np.ptp(reversed_forward, axis=1)).max() < 1e-12
        a, b = np.sort(reversed_forward[:, 0]), np.sort(backward[:, 0])
        grid = np.concatenate([a, b])
        distance = np.abs(np.searchsorted(a, grid, "right") - np.searchsorted(b, grid, "right")).max() / CLIPS
        assert np.sqrt(CLIPS / 2) * distance < KS_LIMIT


@pytest.fixture
def painted():
    """A function from a state to a frame with one and the same shape on black."""
    shape = motions._shape(np.random.default_rng(4))

    def paint(**state):
        canvas = np.zeros((1, 64, 64, 3), np.float32)
        state = {"x": 0.5, "y": 0.5, "angle": 0.3, "scale": 0.5, **state}
        motions._paint(canvas, shape, np.array([list(state.values())]))
        return canvas[0]

    return paint


def test_x_moves_right_and_wraps(painted):
    assert np.allclose(painted(x=0.5 + 24 / 64), np.roll(painted(), 24, axis=1), atol=1e-3)


def test_y_moves_down_and_wraps(painted):
    assert np.allclose(painted(y=0.5 - 24 / 64), np.roll(painted(), -24, axis=0), atol=1e-3)


def test_angle_turns_clockwise_and_shows(painted):
    turned = painted(angle=0.3 + 0.25)
    assert np.allclose(turned, np.rot90(painted(), -1), atol=0.02)
    assert np.abs(turned - painted()).mean() > 0.01


def test_scale_grows_by_the_stated_range(painted):
    areas = [np.count_nonzero(painted(scale=scale).any(axis=2)) for scale in (0.0, 0.5, 0.999)]
    assert areas[0] < areas[1] < areas[2]
    assert areas[2] / areas[0] == pytest.approx((motions.RADIUS[1] / motions.RADIUS[0]) ** 2, rel=0.15)


def test_background_drifts_and_distractors_lie_still():
    plain = motions.clip(RECIPE, 0, "train", 1)
    drifting = motions.clip(MotionsRecipe(drift=0.03), 0, "train", 1)
    crowded = motions.clip(MotionsRecipe(distractors=3), 0, "train", 1)
    changing = [
        (np.ptp(clip.astype(int), axis=0).max(axis=-1) > 8).mean() for clip in (plain, drifting, crowded)
    ]
    assert changing[1] > 0.9 > changing[0]
    assert abs(changing[2] - changing[0]) < 0.3
    assert (plain[0] != crowded[0]).mean() > 0.05


def test_files_keep_no_trace_of_the_frames_before():
    clip = motions.clip(RECIPE, 0, "train", 0)
    forward = video.decode(video.encode(clip, fps=RECIPE.fps, crf=RECIPE.crf))
    backward = video.decode(video.encode(clip[::-1], fps=RECIPE.fps, crf=RECIPE.crf))
    assert np.array_equal(forward, backward[::-1])


def test_entries_are_files_with_labels(tmp_path):
    recipe = MotionsRecipe(train_per_class=2, test_per_class=1, size=32, frames=4)
    entries = recipe.contents(tmp_path, tmp_path).entries
    assert [(e.label, e.class_name) for e in entries if e.split == "test"] == list(enumerate(CLASSES))

    assert len({(tmp_path / e.path).read_bytes() for e in entries}) == len(entries) == 36
    assert entries[1].path == "videos/train/right/00001.mp4"
    frames = video.decode(tmp_path / entries[1].path)
    clip = motions.clip(recipe, 0, "train", 1)
    assert frames.shape == clip.shape
    # Chroma is stored at half resolution; luma is not.
    assert np.abs(frames.mean(axis=-1) - clip.mean(axis=-1)).mean() < 8


def test_a_mirror_changes_labels():
    assert not MotionsRecipe().mirror_keeps_label


@pytest.mark.parametrize(
    "settings",
    [
        {"speed": [0.05, 0.02]},
        {"speed": [0.1, 0.25]},
        {"period": [2, 20]},
        {"size": 63},
        {"train_per_class": 0},
        {"sped": 1},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        MotionsRecipe.model_validate(settings)


def test_some_of_the_motions_are_labelled_from_0_and_keep_their_clips(tmp_path):
    some = MotionsRecipe(train_per_class=1, test_per_class=1, size=32, classes=["grow", "left"])
    entries = some.contents(tmp_path, tmp_path).entries
    named = [(e.label, e.class_name, e.split) for e in entries]
    assert named == [(0, "left", "train"), (1, "grow", "train"), (0, "left", "test"), (1, "grow", "test")]
    whole = motions.clip(MotionsRecipe(size=32), CLASSES.index("grow"), "test", 0)
    # Chroma is stored at half resolution, which costs about 4 levels; another clip differs by tens.
    assert np.abs(video.decode(tmp_path / entries[3].path).astype(int) - whole).mean() < 8


@pytest.mark.parametrize("classes", [["left"], ["left", "left"], ["left", "sideways"]])
def test_motions_that_do_not_exist_or_are_named_twice_are_refused(classes):
    with pytest.raises(ValidationError):
        MotionsRecipe(classes=classes)
