"""Maps of the picture plane as 3 x 3 matrices, composed and then applied in one resampling.

Coordinates are those of ``grid_sample``: x to the right and y down, each from -1 to 1 over the frame. A
matrix maps a point of the source to the place where it is seen. Batches may have any leading shape:
(..., 3, 3).
"""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

CORNERS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


def matrix(rows: list[list[Tensor | float]]) -> Tensor:
    """Broadcast 3 x 3 tensors and numbers against each other and stack them to (..., 3, 3)."""
    shape = torch.broadcast_shapes(*(torch.as_tensor(entry).shape for row in rows for entry in row))
    return torch.stack(
        [torch.stack([torch.as_tensor(entry).float().expand(shape) for entry in row], -1) for row in rows], -2
    )


def scale(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Return the map that stretches by x and y about the centre."""
    return matrix([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])


def translate(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Return the map that shifts by x and y; 2 is the whole frame."""
    return matrix([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def rotate(angle: Tensor) -> Tensor:
    """Return the map that rotates about the centre, clockwise as seen, by an angle in radians."""
    s, c = angle.sin(), angle.cos()
    return matrix([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def shear(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Return the map that shifts rows by x, and columns by y, times their distance from the centre."""
    return matrix([[1.0, x, 0.0], [y, 1.0, 0.0], [0.0, 0.0, 1.0]])


def perspective(corners: Tensor) -> Tensor:
    """Return the map that takes the corners of the frame to four points.

    Args:
        corners: (B, 4, 2), the places where upper left, upper right, lower right and lower left are seen.

    Returns:
        (B, 3, 3).
    """
    source = torch.tensor(CORNERS, dtype=torch.float64, device=corners.device).expand(len(corners), 4, 2)
    seen = corners.double()
    zeros, ones = torch.zeros_like(source[..., :1]), torch.ones_like(source[..., :1])
    none = zeros.expand(-1, -1, 3)
    homogeneous = torch.cat([source, ones], -1)
    across = torch.cat([homogeneous, none, -source * seen[..., :1]], -1)  # (B, 4, 8)
    down = torch.cat([none, homogeneous, -source * seen[..., 1:]], -1)
    system, right = torch.cat([across, down], 1), torch.cat([seen[..., 0], seen[..., 1]], 1)
    solved = torch.linalg.solve(system, right)
    return torch.cat([solved, ones[:, 0]], 1).view(-1, 3, 3).float()


def warp(frames: Tensor, maps: Tensor, padding: str = "zeros") -> Tensor:
    """Transform frames by maps, with one bilinear resampling.

    Args:
        frames: float (N, C, H, W).
        maps: (N, 3, 3).
        padding: The values beyond the source's edges: "zeros", "border" or "reflection".

    Returns:
        float (N, C, H, W).
    """
    height, width = frames.shape[-2:]
    back = torch.linalg.inv(maps.double()).float()  # from the place where a point is seen to the source
    x = (torch.arange(width, device=frames.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=frames.device) * 2 + 1) / height - 1
    # Each coordinate is linear in x and y, so the grid is the sum of a row and a column.
    rows = back[:, :, 1:2] * y + back[:, :, 2:3]  # (N, 3, H)
    columns = back[:, :, 0:1] * x  # (N, 3, W)
    # Points behind the viewer are not seen.
    depth = (rows[:, 2, :, None] + columns[:, 2, None, :]).clamp_min_(1e-3)  # (N, H, W)
    # Two planes are not stacked, since copying them into one tensor takes as long as the resampling.
    grid = rows[:, :2].mT[:, :, None] + columns[:, :2].mT[:, None]  # (N, H, W, 2)
    grid.div_(depth[..., None]).clamp_(-100, 100)
    return grid_sample(frames, grid, mode="bilinear", padding_mode=padding, align_corners=False)
