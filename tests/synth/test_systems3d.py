"""Systems in space keep to their distributions; their moments in closed form are those of their points."""

import numpy as np
import pytest

from kinefract.common.streams import stream
from kinefract.synth import systems3d
from kinefract.synth.systems3d import Limits, is_sound, map_probabilities, moments, rotations, sample_maps

TETRAHEDRON = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / 2
SIERPINSKI = np.concatenate([np.tile(np.eye(3) / 2, (4, 1, 1)), TETRAHEDRON[..., None]], axis=-1)
EVEN = np.full(4, 0.25)


def some_systems(count, maps=4):
    return np.concatenate([sample_maps(stream(i, "test"), maps, np.zeros((1, maps))) for i in range(count)])


def plain_chaos_game(system, probabilities, rng, chains=4000, steps=400, discard=100):
    """Return the points of the textbook algorithm in double precision, many chains side by side."""
    points, kept = rng.uniform(-1, 1, (chains, 3)), []
    for step in range(steps):
        chosen = system[rng.choice(len(system), chains, p=probabilities)]
        points = np.einsum("nij,nj->ni", chosen[..., :3], points) + chosen[..., 3]
        if step >= discard:
            kept.append(points)
    return np.concatenate(kept)


@pytest.mark.parametrize("maps", [2, 3, 8])
def test_singular_values_add_up_to_the_sigma_factor(maps):
    rng = stream(0, "test")
    drawn = np.stack([systems3d.sample_singular_values(rng, maps) for _ in range(500)])
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert (np.diff(drawn, axis=-1) <= 1e-12).all()
    volumes = drawn.prod(axis=-1)
    assert (np.diff(volumes, axis=-1) <= 1e-12).all()
    alpha = (drawn @ [1, 2, 3]).sum(axis=1)
    assert alpha.min() >= 5 + maps - 1e-9 and alpha.max() <= 6 + maps + 1e-9 and np.ptp(alpha) > 0.95


def test_rotations_turn_by_their_angle_about_their_axis():
    quarter = rotations(np.array([(0, 0, np.pi / 2), (0, 0, 0)]))
    np.testing.assert_allclose(quarter[0] @ (1, 0, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_array_equal(quarter[1], np.eye(3))
    turns = stream(0, "test").uniform(-2, 2, (50, 3))
    matrices = rotations(turns)
    np.testing.assert_allclose(
        matrices @ np.swapaxes(matrices, 1, 2), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    np.testing.assert_allclose((matrices @ turns[..., None])[..., 0], turns)
    angles = np.arccos((np.trace(matrices, axis1=1, axis2=2) - 1) / 2)
    expected = np.linalg.norm(turns, axis=1)
    np.testing.assert_allclose(angles, np.minimum(expected, 2 * np.pi - expected), atol=1e-7)


def test_random_rotations_are_uniform_over_all():
    matrices = systems3d._random_rotations(stream(0, "test"), 20_000)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    np.testing.assert_allclose(
        matrices[:100] @ np.swapaxes(matrices[:100], 1, 2), np.tile(np.eye(3), (100, 1, 1)), atol=1e-12
    )
    # Under uniform rotations every entry has mean 0 and variance 1/3, and the trace has variance 1.
    np.testing.assert_allclose(matrices.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(matrices.var(axis=0), 1 / 3, atol=0.02)
    assert abs(np.trace(matrices, axis1=1, axis2=2).var() - 1) < 0.05


def test_systems_have_the_singular_values_signs_and_translations_they_should():
    linear, translation = np.split(some_systems(200), [3], axis=-1)
    s = np.linalg.svd(linear, compute_uv=False)
    assert s.max() <= 1 + 1e-12
    alpha = (s @ [1, 2, 3]).sum(axis=1)
    assert alpha.min() >= 9 - 1e-9 and alpha.max() <= 10 + 1e-9
    assert abs((np.linalg.det(linear) > 0).mean() - 0.5) < 0.06
    assert np.abs(translation).max() <= 1 and translation.std() > 0.5


def test_maps_change_little_by_little_from_one_system_to_another():
    line = np.linspace(0, 1, 60)[:, None].repeat(4, axis=1)
    system = sample_maps(stream(3, "test"), 4, line)
    np.testing.assert_array_equal(system[:1], sample_maps(stream(3, "test"), 4, np.zeros((1, 4))))
    assert np.abs(np.diff(system, axis=0)).max() < 0.2 < np.abs(system[-1] - system[0]).max()
    s = np.linalg.svd(system[..., :3], compute_uv=False)
    # Factors are interpolated, so singular values go straight from one draw to the other; entries would not.
    np.testing.assert_allclose(s.sum(axis=-1), np.linspace(s[0], s[-1], 60).sum(axis=-1), atol=1e-9)


def test_both_rotations_of_a_map_turn_on_the_way():
    ends = np.array([0.0, 1.0])[:, None].repeat(8, axis=1)
    systems = [sample_maps(stream(i, "test"), 8, ends) for i in range(20)]
    outer, _, inner = np.linalg.svd(np.stack(systems)[..., :3])
    for turned in (np.swapaxes(outer, -1, -2), inner):  # rows are directions, but for their sign
        cosines = np.abs((turned[:, 0] * turned[:, 1]).sum(axis=-1))
        assert 0.4 < np.median(cosines) < 0.9  # 1 if they stayed


def test_translations_are_held_in_a_fifth_of_the_clips():
    ends = np.array([0.0, 1.0])[:, None].repeat(3, axis=1)
    moved = np.array([np.ptp(sample_maps(stream(i, "test"), 3, ends)[..., 3], axis=0) for i in range(400)])
    held = (moved == 0).all(axis=(1, 2))
    assert abs(held.mean() - 0.2) < 0.06 and (moved[~held] > 0).all()


def test_probabilities_are_shares_of_volume():
    system = np.zeros((3, 3, 4))
    system[0, :, :3], system[1, :, :3] = np.diag([1, 0.5, 0.5]), -np.diag([0.5, 0.5, 1 / 3])
    np.testing.assert_allclose(map_probabilities(system), [0.75, 0.25, 0.0])
    np.testing.assert_allclose(map_probabilities(system * 0), 1 / 3)


@pytest.mark.parametrize("seed", range(4))
def test_moments_are_those_of_a_plain_chaos_game(seed):
    system = sample_maps(stream(seed, "test"), 5, np.zeros((1, 5)))[0]
    probabilities = map_probabilities(system)
    mean, covariance = moments(system, probabilities)
    points = plain_chaos_game(system, probabilities, stream(seed, "plain"))
    spread = np.sqrt(np.trace(covariance))
    np.testing.assert_allclose(mean, points.mean(axis=0), atol=0.02 * spread)
    np.testing.assert_allclose(covariance, np.cov(points.T), atol=0.03 * spread**2)


def test_moments_of_a_sierpinski_tetrahedron_are_known():
    mean, covariance = moments(SIERPINSKI, EVEN)
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    # S = S / 4 + sum of b b' / 4, and the corners' second moment is 1/4 along each axis.
    np.testing.assert_allclose(covariance, np.eye(3) / 3, atol=1e-12)


def test_many_systems_at_once_are_each_by_itself():
    systems = some_systems(6).reshape(2, 3, 4, 3, 4)
    probabilities = map_probabilities(systems)
    together, sound = moments(systems, probabilities), is_sound(systems, probabilities, Limits())
    for place in np.ndindex(2, 3):
        alone = moments(systems[place], probabilities[place])
        np.testing.assert_allclose(together.mean[place], alone.mean)
        np.testing.assert_allclose(together.covariance[place], alone.covariance)
        assert sound[place] == is_sound(systems[place], probabilities[place], Limits())


def test_systems_that_explode_have_no_moments_and_are_refused():
    for factor in (2.0, 2.5, 1e3):
        mean, covariance = moments(factor * SIERPINSKI, EVEN)
        assert np.isnan(mean).all() and np.isnan(covariance).all()
        assert not is_sound(factor * SIERPINSKI, EVEN, Limits())


def squeezed(*shares):
    """Return a Sierpinski tetrahedron squeezed along its axes."""
    squeeze = np.diag(shares)
    return np.concatenate([SIERPINSKI[..., :3], squeeze @ SIERPINSKI[..., 3:]], axis=-1)


def test_planes_lines_and_points_are_refused_and_bodies_are_not():
    assert is_sound(SIERPINSKI, EVEN, Limits())
    assert is_sound(squeezed(1, 1, 0.11), EVEN, Limits())
    assert not is_sound(squeezed(1, 1, 0.09), EVEN, Limits())
    assert is_sound(squeezed(1, 1, 0.09), EVEN, Limits(third_axis=0.05))
    assert is_sound(squeezed(1, 0.21, 0.21), EVEN, Limits())
    assert not is_sound(squeezed(1, 0.19, 0.19), EVEN, Limits())
    assert not is_sound(squeezed(1, 0, 0), EVEN, Limits(second_axis=0, third_axis=0.001))
    assert not is_sound(squeezed(0, 0, 0), EVEN, Limits(second_axis=0, third_axis=0))


def test_a_plane_in_any_direction_is_refused():
    tilt = rotations(np.array([0.3, -1.0, 0.7]))
    flat = squeezed(1, 1, 0.05)
    tilted = np.concatenate([tilt @ flat[..., :3] @ tilt.T, tilt @ flat[..., 3:]], axis=-1)
    assert not is_sound(tilted, EVEN, Limits()) and is_sound(tilted, EVEN, Limits(third_axis=0.04))


def test_dust_is_refused_by_its_dimension():
    # Four copies by a half: log 4 / log 2 = 2; by a fifth: log 4 / log 5 = 0.86.
    assert is_sound(SIERPINSKI, EVEN, Limits(dimension=1.999))
    assert not is_sound(SIERPINSKI, EVEN, Limits(dimension=2.001))
    dust = SIERPINSKI * np.array([0.4, 0.4, 0.4, 1.0])
    assert not is_sound(dust, EVEN, Limits()) and is_sound(dust, EVEN, Limits(dimension=0.86))


def test_systems_that_hardly_contract_are_refused_where_asked():
    assert is_sound(SIERPINSKI, EVEN, Limits(contraction=np.log(2) - 0.001))
    assert not is_sound(SIERPINSKI, EVEN, Limits(contraction=np.log(2) + 0.001))
    still = SIERPINSKI * np.array([2.0, 2.0, 2.0, 1.0])  # keeps all lengths: never comes to rest
    assert not is_sound(still, EVEN, Limits())


def test_most_random_systems_are_sound():
    systems = some_systems(300)
    assert 0.9 < is_sound(systems, map_probabilities(systems), Limits()).mean() < 1
