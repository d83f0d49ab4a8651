"""Lines become bodies as thick as the blur and the threshold say."""

import numpy as np
import pytest
from scipy import ndimage

from kinefract.synth.render import silhouette


def line(start, end, points=200):
    return np.linspace(start, end, points)[None, None]


@pytest.mark.parametrize("points", [100, 1000])
def test_ink_goes_with_length_whatever_the_number_of_points(points):
    image = silhouette.draw_lines(line((5.0, 8.0), (29.0, 26.0), points), 32, 100.0)
    assert image.shape == (1, 32, 32)
    np.testing.assert_allclose(image.sum(), 100 * 30, rtol=0.01)
    rows = image[0].sum(axis=1)
    np.testing.assert_allclose((rows * (np.arange(32) + 0.5)).sum() / rows.sum(), 17, atol=0.05)


def test_what_lies_outside_is_not_drawn():
    image = silhouette.draw_lines(line((-16.0, 8.0), (16.0, 8.0)), 32, 10.0)
    np.testing.assert_allclose(image.sum(), 10 * 16, rtol=0.05)
    assert not silhouette.draw_lines(line((-9.0, -9.0), (-2.0, -3.0)), 32, 10.0).any()


def test_frames_are_drawn_apart():
    lines = np.stack([line((4.0, 4.0), (9.0, 4.0))[0], line((20.0, 20.0), (28.0, 28.0))[0]])
    first, second = silhouette.draw_lines(lines, 32, 1.0)
    assert first[:8].sum() == first.sum() > 0 and second[16:].sum() == second.sum() > 0


@pytest.mark.parametrize("sigma", [0.7, 3.0, 8.0])
def test_blur_agrees_with_scipy(sigma):
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64))
    expected = ndimage.gaussian_filter(
        images, (0, sigma, sigma), mode="constant", radius=(0, round(3 * sigma), round(3 * sigma))
    )
    np.testing.assert_allclose(silhouette.blur(images, sigma), expected, atol=0.02)


def test_a_blurred_line_is_as_bright_as_its_formula():
    image = silhouette.blur(silhouette.draw_lines(line((2.0, 64.0), (126.0, 64.0), 500), 128, 255.0), 5.0)
    np.testing.assert_allclose(image.max(), 255 / (5 * np.sqrt(2 * np.pi)), rtol=0.02)


def test_closing_fills_narrow_gaps_only():
    masks = np.zeros((1, 32, 32), np.uint8)
    masks[:, 8:24, 4:10] = masks[:, 8:24, 12:18] = masks[:, 8:24, 26:30] = 1
    closed = silhouette.close(masks, 5)
    assert closed[0, 16, 10:12].all() and not closed[0, 16, 18:26].any()
    np.testing.assert_array_equal(silhouette.close(masks, 1), masks)


def test_an_outline_is_as_wide_as_asked():
    masks = np.zeros((1, 32, 32), np.uint8)
    masks[:, 6:26, 6:26] = 1
    rim = silhouette.outline(masks, 3)
    assert rim.sum() == 20**2 - 14**2 and rim[0, 8, 16] == 1 and rim[0, 9, 16] == 0
