"""The looks of stuff and things of the built-in data set: noise, textures, outlines.

Shapes: (h, w) a crop. Pictures are float32 RGB in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from panoptic_heuristic.testing.shapes_settings import COLOUR_JITTER, FOREIGN_COLOUR_CHANCE, THING_ROUGHNESS, THINGS

# ---- Noise and patterns. A pattern, about [0, 1], blends a class's dark into its light colour. ----


def noise(rng: np.random.Generator, height: int, width: int, cell: float, cell_x: float | None = None) -> np.ndarray:
    """Smooth noise (height, width) float32, about in [-1, 1], that changes over `cell` pixels."""
    rows = max(2, round(height / cell) + 1)
    cols = max(2, round(width / (cell_x or cell)) + 1)
    grid = rng.random((rows, cols), dtype=np.float32) * 2 - 1
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def fractal(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    """Three octaves of `noise`, about in [-1, 1]."""
    return sum(noise(rng, height, width, max(1.0, cell / 2**k)) * 0.6 * 0.5**k for k in range(3))


def grid_of(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]


def _sky(rng, h, w, s):
    y, _ = grid_of(h, w)
    return 0.25 + 0.5 * y / h + 0.7 * np.clip(fractal(rng, h, w, 38 * s), 0, 1)


def _grass(rng, h, w, s):
    return 0.5 + 0.45 * noise(rng, h, w, 5 * s, 1.7 * s) + 0.2 * noise(rng, h, w, 24 * s)


def _sand(rng, h, w, s):
    y, x = grid_of(h, w)
    ripples = np.sin((y + rng.uniform(-0.5, 0.5) * x) * (0.85 / s) + 3 * noise(rng, h, w, 25 * s))
    return 0.55 + 0.2 * ripples + 0.35 * noise(rng, h, w, 1.3 * s)


def _water(rng, h, w, s):
    y, _ = grid_of(h, w)
    waves = np.sin(y * (1.2 / s) + 4 * noise(rng, h, w, 9 * s, 22 * s))
    glints = np.clip(4 * noise(rng, h, w, 2 * s, 9 * s) - 2.2, 0, 1)
    return 0.4 + 0.3 * waves + 0.5 * glints


def _wall(rng, h, w, s):
    y, x = grid_of(h, w)
    tilt = rng.uniform(-0.12, 0.12)
    down, along = (y + tilt * x + h) / (6 * s), (x - tilt * y + w) / (11 * s)
    course = np.floor(down).astype(np.int64)
    along = along + 0.5 * (course % 2)
    tones = rng.random(64 * 64, dtype=np.float32)[(course * 64 + np.floor(along).astype(np.int64)) % (64 * 64)]
    mortar = (down % 1 < 0.2) | (along % 1 < 0.12)
    return np.where(mortar, 1.0, 0.15 + 0.4 * tones) + 0.12 * noise(rng, h, w, 1.5 * s)


def _path(rng, h, w, s):
    y, x = grid_of(h, w)
    y, x = y + 1.5 * s * noise(rng, h, w, 8 * s), x + 1.5 * s * noise(rng, h, w, 8 * s)
    cobbles = np.sin(x * (1.9 / s)) * np.sin(y * (1.9 / s))
    return 0.5 + 0.45 * np.tanh(3 * cobbles) + 0.2 * noise(rng, h, w, 10 * s)


def _rubble(rng, h, w, s):
    tones = rng.random((max(2, round(h / (4.5 * s))), max(2, round(w / (4.5 * s)))), dtype=np.float32)
    facets = cv2.resize(tones, (w, h), interpolation=cv2.INTER_NEAREST)
    cracks = np.abs(noise(rng, h, w, 5 * s)) < 0.1
    return np.where(cracks, 0.0, 0.2 + 0.65 * facets + 0.25 * noise(rng, h, w, 3 * s))


def _hedge(rng, h, w, s):
    return 0.45 + 0.4 * np.tanh(3 * noise(rng, h, w, 2.6 * s)) + 0.25 * noise(rng, h, w, 9 * s)


# name: pattern, dark colour, light colour. Neighbours in colour on purpose: sky and water, grass and hedge,
# sand and path and wall, rubble and path.
STUFF_LOOK: dict[str, tuple[Callable, tuple, tuple]] = {
    "sky": (_sky, (0.42, 0.58, 0.80), (0.88, 0.92, 0.96)),
    "grass": (_grass, (0.24, 0.40, 0.16), (0.52, 0.66, 0.30)),
    "sand": (_sand, (0.64, 0.54, 0.38), (0.90, 0.82, 0.62)),
    "water": (_water, (0.14, 0.32, 0.48), (0.50, 0.68, 0.80)),
    "wall": (_wall, (0.46, 0.27, 0.22), (0.78, 0.68, 0.60)),
    "path": (_path, (0.36, 0.33, 0.30), (0.74, 0.69, 0.60)),
    "rubble": (_rubble, (0.24, 0.24, 0.27), (0.66, 0.65, 0.66)),
    "hedge": (_hedge, (0.08, 0.20, 0.10), (0.34, 0.50, 0.22)),
}


def _paint(pattern: np.ndarray, dark: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3) float32 of a pattern (h, w)."""
    pattern = np.clip(pattern, 0, 1).astype(np.float32)[..., None]
    return dark + (light - dark) * pattern


def _jitter(rng: np.random.Generator, *colours: tuple) -> list[np.ndarray]:
    """The colours moved together, in lightness and in each channel."""
    shift = rng.normal(0, COLOUR_JITTER) + rng.normal(0, 0.5 * COLOUR_JITTER, 3)
    return [np.clip(np.asarray(colour) + shift, 0.03, 0.97).astype(np.float32) for colour in colours]


def stuff_texture(rng: np.random.Generator, name: str, height: int, width: int, scale: float) -> np.ndarray:
    pattern, dark, light = STUFF_LOOK[name]
    return _paint(pattern(rng, height, width, scale), *_jitter(rng, dark, light))


# ---- Outlines of things in their own frame: radius 1, negative inside, roughly a distance. ----


def _ball(u, v):
    return np.hypot(u, v) - 0.95


def _star(u, v):
    # From 0 in a valley to 1 at a tip; the power keeps the tips thin and the body round.
    turn = np.abs((np.arctan2(v, u) * (5 / (2 * np.pi))) % 1 - 0.5) * 2
    return 0.75 * (np.hypot(u, v) - (0.48 + 0.62 * turn**1.6))


def _ring(u, v):
    return np.abs(np.hypot(u, v) - 0.74) - 0.26


def _crate(u, v):
    return np.maximum(np.abs(u), np.abs(v)) - 0.82


def _cross(u, v):
    u, v = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(u - 0.32, v - 1), np.maximum(u - 1, v - 0.32))


def _cone(u, v):
    return np.maximum(0.89 * np.abs(u) + 0.45 * v - 0.42, -v - 0.8)


def _moon(u, v):
    return np.maximum(np.hypot(u, v) - 1, 0.78 - np.hypot(u - 0.52, v))


def _boulder(u, v):
    return np.hypot(u, 1.2 * v) - 0.95 + 0.08 * np.sin(3 * np.arctan2(v, u))


def _sectors(u, v, rng):
    return (np.sin(3 * np.arctan2(v, u) + 1.2 * np.hypot(u, v)) > 0) * 1.0


def _glow(u, v, rng):
    return 1.1 - 0.9 * np.hypot(u, v)


def _segments(u, v, rng):
    return (np.sin(4 * np.arctan2(v, u)) > 0.2) * 1.0


def _planks(u, v, rng):
    frame = (np.maximum(np.abs(u), np.abs(v)) > 0.6) | (np.abs(u - v) < 0.16)
    return np.where(frame, 0.95, 0.45 * (np.sin(v * 12) > -0.5))


def _dots(u, v, rng):
    return (np.sin(u * 9) * np.sin(v * 9) > 0.25) * 1.0


def _stripes(u, v, rng):
    return (np.sin(v * 6.5) > 0) * 1.0


def _craters(u, v, rng):
    return 0.7 + 0.3 * u + 0.3 * noise(rng, *u.shape, max(2.0, u.shape[0] / 7))


def _stone(u, v, rng):
    # The pattern of the stuff `rubble`, on purpose: outline, shading and a warmer grey tell a boulder from it.
    return _rubble(rng, *u.shape, max(0.6, u.shape[0] / 40)) + 0.15


# name: outline, pattern, dark colour, light colour.
THING_LOOK: dict[str, tuple[Callable, Callable, tuple, tuple]] = {
    "ball": (_ball, _sectors, (0.75, 0.15, 0.15), (0.95, 0.90, 0.85)),
    "star": (_star, _glow, (0.75, 0.45, 0.08), (0.98, 0.88, 0.30)),
    "ring": (_ring, _segments, (0.82, 0.20, 0.45), (0.96, 0.85, 0.88)),
    "crate": (_crate, _planks, (0.38, 0.23, 0.12), (0.76, 0.56, 0.34)),
    "cross": (_cross, _dots, (0.34, 0.16, 0.58), (0.76, 0.64, 0.92)),
    "cone": (_cone, _stripes, (0.92, 0.42, 0.05), (0.96, 0.93, 0.88)),
    "moon": (_moon, _craters, (0.10, 0.42, 0.44), (0.55, 0.90, 0.84)),
    "boulder": (_boulder, _stone, (0.34, 0.26, 0.20), (0.74, 0.65, 0.55)),
}


@dataclass(frozen=True)
class Sprite:
    """A thing in the crop of the picture that it may touch.

    `name` is None for an object of no class. `distance` is (h, w) in pixels, negative inside; `colour` is
    (h, w, 3).
    """

    name: str | None
    window: tuple[slice, slice]
    distance: np.ndarray
    colour: np.ndarray
    radius: float

    @property
    def mask(self) -> np.ndarray:
        return self.distance < 0


def make_sprite(
    rng: np.random.Generator,
    name: str | None,
    centre: tuple[float, float],
    radius: float,
    size: tuple[int, int],
) -> Sprite:
    """A thing at `centre` (y, x); `name` None makes something unknown with the look of several classes."""
    reach = radius * 1.35 + 2
    top, left = max(0, int(centre[0] - reach)), max(0, int(centre[1] - reach))
    bottom, right = min(size[0], int(centre[0] + reach) + 1), min(size[1], int(centre[1] + reach) + 1)
    y, x = grid_of(bottom - top, right - left)
    y, x = y + (top - centre[0]), x + (left - centre[1])
    angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.18)
    cos, sin = np.cos(angle) / radius, np.sin(angle) / radius
    u, v = (
        ((x * cos + y * sin) * stretch).astype(np.float32),
        ((y * cos - x * sin) / stretch).astype(np.float32),
    )

    outline, pattern, dark, light = THING_LOOK[name or "boulder"]
    if name is None:
        dark, light = tuple(rng.uniform(0.1, 0.9, 3)), tuple(rng.uniform(0.1, 0.9, 3))
        pattern = THING_LOOK[THINGS[rng.integers(len(THINGS))]][1]
        bend, phase = rng.uniform(2, 4, 2), rng.uniform(0, 2 * np.pi, 2)
        u, v = u + 0.35 * np.sin(bend[0] * v + phase[0]), v + 0.35 * np.sin(bend[1] * u + phase[1])
    elif rng.random() < FOREIGN_COLOUR_CHANCE:
        dark, light = THING_LOOK[THINGS[rng.integers(len(THINGS))]][2:]
    rough = noise(rng, *u.shape, max(2.0, 0.4 * radius))
    distance = (outline(u, v) + THING_ROUGHNESS * rough) * radius
    # Light from the upper left, and a rim that darkens: a thing has a body, a patch of stuff does not.
    shade = 1 - 0.10 * (x + y) / radius - 0.22 * np.clip(distance / (0.3 * radius) + 1, 0, 1)
    colour = np.clip(_paint(pattern(u, v, rng), *_jitter(rng, dark, light)) * shade[..., None], 0, 1)
    window = slice(top, bottom), slice(left, right)
    return Sprite(name, window, distance.astype(np.float32), colour.astype(np.float32), radius)


def cover(picture: np.ndarray, colour: np.ndarray, distance: np.ndarray, strength: float = 1.0) -> None:
    """Paints `colour` where `distance` < 0, with a border one pixel soft. Changes `picture`."""
    alpha = (np.clip(0.5 - distance, 0, 1) * strength)[..., None]
    picture += (colour - picture) * alpha


def cast_shadow(picture: np.ndarray, sprite: Sprite) -> None:
    """Darkens `picture` to the lower right of a sprite. Changes `picture`."""
    offset = max(1, round(0.12 * sprite.radius))
    target = picture[sprite.window][offset:, offset:]
    distance = sprite.distance[:-offset, :-offset][: target.shape[0], : target.shape[1]]
    target *= 1 - 0.35 * np.clip(0.5 - distance / (1 + 0.15 * sprite.radius), 0, 1)[..., None]
