"""The kernel draws what a plain chaos game draws, and windows, sums and tones as the paper says."""

import numpy as np
import pytest

from kinefract.common.streams import stream
from kinefract.synth import ifs
from kinefract.synth.render import cpu as render

SIERPINSKI = np.array([[0.5, 0, 0, 0, 0.5, 0], [0.5, 0, 0.5, 0, 0.5, 0], [0.5, 0, 0.25, 0, 0.5, 0.5]])
KEYS = np.arange(1, 100, dtype=np.uint64)


def counts_of(system, window, size, **settings):
    system = np.asarray(system, float)[None]
    return render.render(system, ifs.map_probabilities(system), window, size, KEYS[:1], **settings)[0]


def plain_chaos_game(system, window, size, points, rng, vary=lambda x, y: (x, y)):
    """Count one chain at a time in double precision: the textbook algorithm, many chains side by side."""
    chains, discard = 2000, 40
    probabilities = ifs.map_probabilities(system)
    x, y = rng.uniform(-1, 1, (2, chains))
    counts = np.zeros((size, size), np.int64)
    left, bottom, right, top = window
    for step in range(points // chains + discard):
        a, b, c, d, e, f = system[rng.choice(len(system), chains, p=probabilities)].T
        x, y = vary(a * x + b * y + c, d * x + e * y + f)
        if step >= discard:
            i = np.floor((y - bottom) / (top - bottom) * size).astype(int)
            j = np.floor((x - left) / (right - left) * size).astype(int)
            inside = (i >= 0) & (i < size) & (j >= 0) & (j < size)
            np.add.at(counts, (i[inside], j[inside]), 1)
    return counts


def test_sierpinski_triangle_has_its_dimension():
    counts = counts_of(SIERPINSKI, (0, 0, 1, 1), 512, steps=12000)
    sides = np.array([4, 8, 16, 32, 64, 128])
    boxes = [counts.reshape(n, 512 // n, n, 512 // n).any(axis=(1, 3)).sum() for n in sides]
    dimension = np.polyfit(np.log(sides), np.log(boxes), 1)[0]
    assert abs(dimension - np.log2(3)) < 0.05


def test_a_cantor_system_has_its_measure():
    third = [[1 / 3, 0, 0, 0, 1 / 3, 0], [1 / 3, 0, 2 / 3, 0, 1 / 3, 2 / 3]]
    counts = counts_of(third, (0, 0, 1, 1), 81, steps=4000)
    assert counts.sum() == np.trace(counts)  # the set lies on the diagonal
    shares = np.diag(counts).reshape(27, 3).sum(axis=1) / counts.sum()
    kept = [place for place in range(27) if 1 not in (place % 3, place // 3 % 3, place // 9)]
    expected = np.isin(np.arange(27), kept) / 8
    np.testing.assert_allclose(shares, expected, atol=0.005)


@pytest.mark.parametrize("seed", range(4))
def test_grouped_chains_draw_the_distribution_of_the_plain_chaos_game(seed):
    system = ifs.compose(ifs.sample_factors(stream(seed, "test"), 4))
    window, size, points = (-2.0, -2.0, 2.0, 2.0), 32, 1_000_000
    ours = counts_of(system, window, size, chains=128, steps=points // 128 + 200).astype(float)
    plain = [plain_chaos_game(system, window, size, points, stream(seed, "plain", i)) for i in range(2)]
    inside = [counts.sum() / points for counts in (ours, *plain)]
    shares = [counts / counts.sum() for counts in (ours, *plain)]
    distance = np.abs(shares[0] - shares[1]).sum() / 2
    noise = np.abs(shares[1] - shares[2]).sum() / 2
    assert abs(inside[0] - inside[1]) < 0.01
    assert distance < noise + 0.015


def test_points_outside_the_window_are_dropped_not_moved_to_its_edge():
    whole = counts_of(SIERPINSKI, (0, 0, 1, 1), 64, steps=4000)
    corner = counts_of(SIERPINSKI, (0, 0, 0.5, 0.5), 32, steps=4000)
    assert whole.sum() == 128 * 3800
    assert abs(corner.sum() / whole.sum() - whole[:32, :32].sum() / whole.sum()) < 0.01
    edge = corner[:, -1].sum() / corner.sum()
    assert edge < 0.1


def test_systems_that_explode_leave_no_trace():
    assert (
        counts_of([[3.0, 0, 1, 0, 3.0, 1], [2.0, 0, 1, 0, 2.0, 1]], (-1, -1, 1, 1), 32, steps=900).sum() == 0
    )
    assert counts_of([[np.nan] * 6, [0.5, 0, 0, 0, 0.5, 0]], (-1, -1, 1, 1), 32, steps=900).sum() == 0


@pytest.mark.parametrize("variation", [14, 2, 17])
def test_flames_that_explode_leave_no_trace_and_others_do(variation):
    window = (-1, -1, 1, 1)
    wild = [[5.0, 0, np.nan if variation == 2 else 3, 0, 5.0, 3]] * 2
    assert counts_of(wild, window, 32, steps=900, variation=variation).sum() == 0
    tame = counts_of([[0.5, 0, 0.1, 0, 0.5, 0], [0.5, 0, 0.3, 0, 0.4, 0.2]], window, 32, variation=variation)
    assert tame.sum() > 0.05 * 128 * 7300


def test_grouped_chains_of_a_flame_draw_what_a_plain_game_draws():
    system = ifs.compose(ifs.sample_factors(stream(0, "test"), 4))
    window, size, points = (-2.0, -2.0, 2.0, 2.0), 32, 1_000_000
    ours = counts_of(system, window, size, steps=points // 128 + 200, variation=16).astype(float)

    def fisheye(x, y):
        scale = 2 / (np.hypot(x, y) + 1)
        return scale * y, scale * x

    plain = [plain_chaos_game(system, window, size, points, stream(0, "plain", i), fisheye) for i in range(2)]
    shares = [counts / counts.sum() for counts in (ours, *plain)]
    noise = np.abs(shares[1] - shares[2]).sum() / 2
    assert np.abs(shares[0] - shares[1]).sum() / 2 < noise + 0.015


def test_a_frame_depends_on_its_key_alone():
    systems = np.stack([ifs.compose(ifs.sample_factors(stream(i, "test"), 3)) for i in range(3)])
    probabilities = ifs.map_probabilities(systems)
    window = (-2.0, -2.0, 2.0, 2.0)
    together = render.render(systems, probabilities, window, 32, KEYS[:3], steps=400)
    for t in (2, 0, 1):
        alone = render.render(systems[[t]], probabilities[[t]], window, 32, KEYS[[t]], steps=400)
        np.testing.assert_array_equal(alone[0], together[t])
    other = render.render(systems[[0]], probabilities[[0]], window, 32, KEYS[[7]], steps=400)
    assert not np.array_equal(other[0], together[0])


def test_counts_do_not_wrap_on_a_pixel_hit_every_time():
    still = [[0.0, 0, 0.5, 0, 0.0, 0.5]] * 2
    counts = counts_of(still, (0, 0, 1, 1), 16, steps=1200)
    assert counts.max() == counts.sum() == 128 * 1000 > 2**16


def test_tables_round_probabilities_to_their_entries():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    tables = render.map_tables(probabilities)
    shares = np.stack([np.bincount(table, minlength=3) for table in tables]) / 4096
    np.testing.assert_allclose(shares, probabilities, atol=1 / 4096)
