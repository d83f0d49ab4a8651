"""Polygons cover what they should, to a fraction of a pixel."""

import numpy as np
import pytest

from kinefract.common.streams import stream
from kinefract.synth.render.polygons import corners, fill, fill_textured

WHITE = np.array([255], np.uint8)


def covered(polygon, size=24):
    """Return how much of each pixel a polygon covers, by painting it."""
    image = np.zeros((size, size, 1), np.uint8)
    fill(image[None], np.array([polygon], float), WHITE)
    return image[..., 0] / 255


def sampled(polygon, size=24, fine=16):
    """Return the same by counting points of a fine grid inside (even-odd rule), edge by edge."""
    at = (np.arange(size * fine) + 0.5) / fine
    x, y = np.meshgrid(at, at)
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, 1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside.reshape(size, fine, size, fine).mean(axis=(1, 3))


def test_a_square_covers_its_pixels_and_no_other():
    expected = np.zeros((24, 24))
    expected[3:9, 5:7] = 1
    np.testing.assert_array_equal(covered([(5, 3), (7, 3), (7, 9), (5, 9)]), expected)


def test_edges_between_pixels_mix_by_what_is_covered():
    image = np.full((4, 4, 3), 100, np.uint8)
    strip = np.array([(0.0, 0.0), (1.25, 0.0), (1.25, 4.0), (0.0, 4.0)])
    fill(image[None], strip[None], np.array([200, 100, 0], np.uint8))
    np.testing.assert_array_equal(image[:, 0], [(200, 100, 0)] * 4)
    np.testing.assert_array_equal(image[:, 1], [(125, 100, 75)] * 4)
    np.testing.assert_array_equal(image[:, 2:], 100)


@pytest.mark.parametrize("kind", range(12))
def test_any_polygon_agrees_with_counting_points(kind):
    rng = stream(0, "polygon", kind)
    polygon = rng.uniform(-6, 30, (3 + kind, 2))  # crosses itself, and the image's edges
    assert np.abs(covered(polygon) - sampled(polygon)).mean() < 0.015


def test_each_frame_has_its_own_polygon_and_others_stay_as_they_were():
    rng = stream(0, "polygons")
    polygons = rng.uniform(-6, 30, (5, 7, 2))
    images = np.zeros((5, 24, 24, 1), np.uint8)
    fill(images, polygons, WHITE)
    np.testing.assert_array_equal(images[..., 0] / 255, [covered(polygon) for polygon in polygons])


def test_polygons_beyond_the_image_leave_it_alone():
    for shift in ((40, 0), (-40, 0), (0, 40), (0, -40)):
        assert not covered(np.array([(5, 3), (9, 4), (7, 9)]) + shift).any()


def test_a_slow_shape_glides():
    shape = 6 * corners(5, (1.0, 1.0), 0.1) + 12
    weights = [covered(shape + np.array([0.1 * step, 0])) for step in range(8)]
    centres = [(w.sum(axis=0) * (np.arange(24) + 0.5)).sum() / w.sum() for w in weights]
    np.testing.assert_allclose(np.diff(centres), 0.1, atol=0.02)


def test_corners_lie_on_their_circle_or_ellipse():
    hexagon = corners(6, (2.0, 5.0), 0.0)
    assert hexagon.shape == (6, 2)
    np.testing.assert_allclose((hexagon**2).sum(axis=1), 4)
    np.testing.assert_allclose(hexagon[0], (2, 0))
    for sides in (1, 2):
        x, y = corners(sides, (2.0, 5.0), 0.0).T
        np.testing.assert_allclose((x / 2) ** 2 + (y / 5) ** 2, 1)


def test_a_quarter_turn_swaps_axes():
    x, y = corners(3, (2.0, 2.0), 0.0).T
    np.testing.assert_allclose(corners(3, (2.0, 2.0), 0.25), np.stack([-y, x], axis=1), atol=1e-12)


def test_a_textured_polygon_shows_its_part_of_the_picture_and_nothing_outside():
    picture = np.random.default_rng(0).integers(1, 256, size=(40, 50, 3), dtype=np.uint8)
    image = np.zeros((32, 32, 3), np.uint8)
    square = np.array([(4.0, 6.0), (20, 6), (20, 30), (4, 30)])
    fill_textured(image[None], square[None], picture, np.array([[(1.0, 0, 9), (0, 1.0, 3)]]))
    np.testing.assert_array_equal(image[6:30, 4:20], picture[9:33, 13:29])
    image[6:30, 4:20] = 0
    assert not image.any()


def test_a_texture_is_mirrored_beyond_its_edges_and_mixed_between_pixels():
    picture = np.arange(0, 120, 10, dtype=np.uint8).reshape(1, 12, 1).repeat(3, axis=2)
    image = np.zeros((2, 16, 3), np.uint8)
    everything = np.array([(0.0, 0.0), (16, 0), (16, 2), (0, 2)])
    fill_textured(image[None], everything[None], picture, np.array([[(1.0, 0, 8), (0, 1.0, 0)]]))
    assert image[0, :8, 0].tolist() == [80, 90, 100, 110, 110, 100, 90, 80]
    fill_textured(image[None], everything[None], picture, np.array([[(0.5, 0, 2.25), (0, 1.0, 0)]]))
    assert image[1, :4, 1].tolist() == [20, 25, 30, 35]


def test_a_textured_polygon_has_the_edge_of_a_coloured_one():
    white = np.full((4, 4, 3), 255, np.uint8)
    outline = corners(5, (9.0, 9.0), 0.1) + 16.3
    coloured, textured = np.zeros((2, 32, 32, 3), np.uint8)
    fill(coloured[None], outline[None], white[0, 0])
    fill_textured(textured[None], outline[None], white, np.array([[(0.3, 0.1, 0), (0, 0.2, 1.0)]]))
    np.testing.assert_array_equal(textured, coloured)
