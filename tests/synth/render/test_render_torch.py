"""The GPU renderer, run on CPU tensors, draws the measure of the CPU renderer."""

import numpy as np
import pytest
import torch

from kinefract.common.streams import stream
from kinefract.synth import ifs
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe, instance, sample_maps
from kinefract.synth.render import cpu as render
from kinefract.synth.render import flame, gpu_clips, window
from kinefract.synth.render import gpu as render_torch
from kinefract.synth.render.flame_torch import Point, vary
from kinefract.synth.render.gpu_clips import _kept_boxes, _tone, draw_clips
from kinefract.synth.render.tone import box_sum, tone
from kinefract.synth.variations import VARIATIONS

KEYS = np.arange(1, 100, dtype=np.uint64)


def step(states):
    """Return the next states of the kernel's generators, and the numbers they stand for, U[0, 1)."""
    for shift in (13, -17, 5):
        states = states ^ (states << np.uint32(shift) if shift > 0 else states >> np.uint32(-shift))
    return states, (states >> np.uint32(8)).astype(np.float32) / 2**24


@pytest.mark.parametrize("number", VARIATIONS.values(), ids=VARIATIONS)
def test_formulas_on_tensors_are_those_of_the_kernel(number):
    rng = stream(1, "test", number)
    x, y = rng.uniform(-1.5, 1.5, (2, 512)).astype(np.float32)
    maps = (rng.choice([-1, 1], (4, 512)) * rng.uniform(0.3, 1, (4, 512))).astype(np.float32)
    states = rng.integers(1, 2**32, 512, np.uint32)
    after, u = step(states)
    v = step(after)[1]
    points = Point(*map(torch.from_numpy, (x.copy(), y.copy(), *maps, u, v)))
    found = torch.stack(vary(number, points)).numpy()
    flame.vary(number, x, y, maps, states)
    wrong = np.abs(found - [x, y]) > 5e-4 * (1 + np.abs([x, y]))
    # Where tangents run off, and at the steps of rings and fan, rounding shows.
    assert wrong.mean() <= (0.03 if number in (15, 17, 21, 22, 42) else 0.0)


@pytest.mark.parametrize(("steps", "discard"), [(7500, 200), (1000, 50), (400, 300)])
def test_as_many_points_are_drawn_as_on_a_cpu(monkeypatch, steps, discard):
    points = Points(chains=16, steps=steps, discard=discard, window_steps=steps)
    drawn = []

    def counted(maps, shares, windows, size, keys, device, chains, steps, discard, **more):
        drawn.append(chains * (steps - discard))
        return render_torch.render(maps, shares, windows, size, keys, device, chains, steps, discard, **more)

    monkeypatch.setattr(gpu_clips, "render", counted)
    recipe = FractalRecipe(classes=1, clips_per_class=1, size=16, frames=(2, 2), points=points)
    gpu_clips.render_clips([instance(recipe, 0, 0)], 16, points, "cpu")
    wanted = 16 * (steps - discard)  # of a frame, and of each end of a clip in the search for the window
    assert len(drawn) == 2 and all(wanted <= count < 1.02 * wanted + 2048 for count in drawn)


@pytest.mark.parametrize("variation", [0, 13, 17, 31, 45])
def test_counts_differ_no_more_than_those_of_two_cpu_games(variation):
    maps = sample_maps(stream(1, "test", variation), (3, 3), True, True)
    shares = ifs.map_probabilities(maps)
    shown = window.find_window(maps[[0, -1]], shares[[0, -1]], KEYS[:2], variation=variation)
    game = {"steps": 4000, "variation": variation}
    first = render.render(maps, shares, shown, 32, KEYS[:3], **game).astype(float)
    second = render.render(maps, shares, shown, 32, KEYS[10:13], **game).astype(float)
    on_tensors = render_torch.render(
        maps, shares, np.tile(shown, (3, 1)), 32, KEYS[:3], "cpu", 2048, 270, 32, variation
    ).numpy()
    assert abs(on_tensors.sum() / (3 * 2048 * 238) - first.sum() / (3 * 128 * 3800)) < 0.01
    first, second, on_tensors = (c / c.sum((1, 2), keepdims=True) for c in (first, second, on_tensors))
    noise = np.abs(first - second).sum((1, 2)) / 2
    distance = np.abs(first - on_tensors).sum((1, 2)) / 2
    assert (distance < noise + 0.02).all()


def test_a_frame_depends_on_its_row_alone():
    maps = np.stack([ifs.compose(ifs.sample_factors(stream(i, "test"), 3)) for i in range(3)])
    shares, windows = ifs.map_probabilities(maps), np.tile([-2.0, -2.0, 2.0, 2.0], (3, 1))
    game = (16, KEYS[:3], "cpu", 64, 40, 10)
    together = render_torch.render(maps, shares, windows, *game)
    for t in (2, 0):
        alone = render_torch.render(maps[[t]], shares[[t]], windows[[t]], 16, KEYS[[t]], "cpu", 64, 40, 10)
        assert torch.equal(alone[0], together[t])
    assert not torch.equal(together[0], together[1])


def test_filled_up_maps_are_never_chosen():
    maps = ifs.compose(ifs.sample_factors(stream(1, "test"), 3))[None]
    more = np.concatenate([maps, np.full((1, 2, 6), 0.0)], axis=1)
    windows = np.array([[-2.0, -2.0, 2.0, 2.0]])
    plain, filled = (
        render_torch.render(system, ifs.map_probabilities(system), windows, 16, KEYS[:1], "cpu", 64, 40, 10)
        for system in (maps, more)
    )
    assert torch.equal(plain, filled)


@pytest.mark.parametrize("variation", [0, 14])
def test_systems_that_explode_leave_no_trace(variation):
    wild = np.array([[[5.0, 0, 3, 0, 5.0, 3]] * 2])
    windows = np.array([[-1.0, -1.0, 1.0, 1.0]])
    counts = render_torch.render(
        wild, np.full((1, 2), 0.5), windows, 16, KEYS[:1], "cpu", 64, 60, 40, variation
    )
    assert counts.sum() == 0


def test_boxes_are_trimmed_as_on_the_cpu():
    rng = stream(0, "test")
    lit = rng.random((12, 64, 64)) < rng.uniform(0.005, 0.3, (12, 1, 1))
    lit[3, :30], lit[4, :, 40:], lit[5] = False, False, False
    boxes = _kept_boxes(torch.as_tensor(lit), 0.9).numpy()
    for picture, box in zip(np.delete(lit, 5, 0), np.delete(boxes, 5, 0), strict=True):
        assert tuple(box) == window._kept_box(picture, 0.9)


def test_tone_is_that_of_the_cpu():
    counts = stream(0, "test").integers(0, 5000, (2, 16, 16)).astype(np.uint32)
    found = _tone(torch.as_tensor(counts.astype(np.int32))).numpy().astype(int)
    assert np.abs(found - tone(box_sum(counts))).max() <= 1


@pytest.mark.parametrize("motion", ["nonlinear", "still"])
def test_clips_look_as_on_the_cpu(motion):
    recipe = FractalRecipe(
        classes=5,
        clips_per_class=2,
        size=32,
        frames=(4, 5),
        points=Points(steps=1500, window_steps=600),
        motion=motion,
        variations=["fisheye", "bent"],
    )
    clips = draw_clips(recipe, [7, 0, 1, 2, 3], "cpu")
    for index, (frames, redrawn) in zip([7, 0, 1, 2, 3], clips, strict=True):
        expected, attempts = recipe.draw(index)
        assert frames.dtype == torch.uint8 and tuple(frames.shape) == expected.shape
        assert int(frames.max()) == 255 and redrawn == attempts
        # The window is that of other points, so it may differ by a cell and with it every pixel a little.
        assert abs(frames.float().mean() - expected.mean()) < 0.15 * expected.mean() + 2
        alike = np.corrcoef(frames.numpy().mean(0).ravel(), expected.mean(0).ravel())[0, 1]
        assert alike > 0.8


def test_refused_draws_are_drawn_again():
    wild = FractalRecipe(
        classes=2,
        clips_per_class=10,
        size=32,
        frames=(4, 5),
        points=Points(steps=300, window_steps=300),
        perturbation={"factor": 0.9, "offset": 0.6},
        nonlinear_shapes=0.0,
    )
    redrawn = [attempts for _, attempts in draw_clips(wild, range(20), "cpu")]
    assert any(redrawn)
