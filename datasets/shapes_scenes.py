"""Draws the scenes of the built-in data set, `shapes`: landscapes of textured stuff with things on them.

A scene is a pure function of (seed, split, index, size). Everything is painted as layers, each with an
outline given as a signed distance in pixels (negative inside) that noise makes irregular: first the stuff,
then the things from back to front. The labels follow the same outlines, so image and annotation agree to
the pixel.

Lengths are given in pixels of a 128 x 160 picture and grow with the square root of the picture's area.

Shapes: (H, W) a picture's height and width, (h, w) those of a crop. Pictures are float32 RGB in [0, 1] while
they are painted and uint8 at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

REFERENCE_AREA = 128 * 160

# ---- How hard the data set is. Each value is a choice; the comment says what it is there to do. ----

# Few enough that a small network learns them in minutes, enough that they overlap in most pictures.
THINGS_PER_IMAGE = (3, 10)
# Radius, log-uniform. The small end is at the limit of what a stride-4 feature map resolves, and small things
# are what a detector gives medium scores; the large end hides other things.
THING_RADIUS = (4.5, 28.0)
# Share of things put beside or over another thing. This is what makes the overlap threshold matter.
OVERLAP_CHANCE = 0.5
# A thing is drawn only if at least this many pixels, and this share of it, can be seen: a sliver cannot be
# recognised.
MIN_THING_PIXELS = 12
MIN_VISIBLE_SHARE = 0.3
# Noise on outlines, as a share of the radius. Without it masks are learnt too easily, and no real border is
# smooth.
THING_ROUGHNESS = 0.10
# Spread of a class's colours, and the chance that a thing wears another class's colours: shape must decide
# then.
COLOUR_JITTER = 0.09
FOREIGN_COLOUR_CHANCE = 0.2
# Faint shapes of things painted on stuff and labelled as that stuff: false positives with medium scores, the
# reason for a score cutoff.
DISTRACTORS_PER_IMAGE = (0, 4)
DISTRACTOR_RADIUS = (4.0, 9.0)
DISTRACTOR_CONTRAST = (0.25, 0.60)
# Crowds: clusters of tiny things of one class under one segment. Training must ignore them, PQ must forgive
# them.
CROWD_CHANCE = 0.2
CROWD_MEMBERS = (10, 20)
CROWD_MEMBER_RADIUS = (2.6, 4.0)

# Small patches of stuff (area, log-uniform). COCO's usual stuff limit, 4096 of 640 x 480 pixels, is 273
# pixels here and deletes all of them: the reason why that limit has to be tuned.
SMALL_PATCHES_PER_IMAGE = (1, 3)
SMALL_PATCH_AREA = (70.0, 250.0)
# Large patches of the same classes, so that neither size nor class gives the other away.
LARGE_PATCH_CHANCE = 0.5
LARGE_PATCH_AREA = (400.0, 2200.0)
# Thin stuff: paths, streams and hedgerows. Sometimes they end inside the picture and stay below the limit,
# too.
RIBBON_CHANCE = 0.65
RIBBON_WIDTH = (4.0, 8.0)
RIBBON_SHORT_CHANCE = 0.4
# Less stuff than this that can be seen is left unlabelled, as an annotator would.
MIN_STUFF_PIXELS = 30

# Void. Nothing is wrong there, whatever is predicted; a metric that counts it fails on this data set.
VOID_BORDER_CHANCE = 0.15
VOID_BAND_CHANCE = 0.25
VOID_PATCH_CHANCE = 0.25
UNKNOWN_OBJECT_CHANCE = 0.35

# The photograph: uneven light, blur and noise keep plain colour from separating the classes.
LIGHT_FIELD = 0.18
LIGHT_GAIN = 0.10
BLUR_SIGMA = (0.35, 0.8)
IMAGE_NOISE = (0.012, 0.035)


@dataclass(frozen=True)
class Category:
    """One entry of the data set's categories; `color` is RGB in 0..255."""

    id: int
    name: str
    isthing: bool
    color: tuple[int, int, int]
    supercategory: str


# Ids have gaps, and things and stuff are mixed in id and in list order: code that takes a contiguous id, or a
# place in the list, for a category id cannot score well here.
CATEGORIES = (
    Category(9, "ball", True, (220, 60, 60), "toy"),
    Category(7, "sky", False, (120, 180, 235), "outdoor"),
    Category(1, "star", True, (240, 200, 40), "toy"),
    Category(3, "grass", False, (110, 180, 70), "ground"),
    Category(41, "sand", False, (225, 205, 150), "ground"),
    Category(27, "ring", True, (235, 120, 190), "toy"),
    Category(12, "water", False, (50, 110, 190), "ground"),
    Category(40, "crate", True, (150, 95, 45), "object"),
    Category(5, "cross", True, (130, 70, 200), "toy"),
    Category(2, "wall", False, (170, 100, 90), "outdoor"),
    Category(25, "path", False, (150, 145, 140), "ground"),
    Category(14, "cone", True, (255, 140, 20), "object"),
    Category(18, "rubble", False, (105, 105, 120), "ground"),
    Category(22, "moon", True, (40, 200, 190), "toy"),
    Category(33, "hedge", False, (30, 95, 50), "outdoor"),
    Category(30, "boulder", True, (95, 60, 60), "object"),
)
CATEGORY_ID = {category.name: category.id for category in CATEGORIES}
THINGS = tuple(category.name for category in CATEGORIES if category.isthing)


@dataclass(frozen=True)
class Segment:
    """One labelled segment; `bbox` is (x, y, width, height) in pixels, `area` in pixels."""

    id: int
    category_id: int
    area: int
    bbox: tuple[int, int, int, int]
    iscrowd: int


@dataclass(frozen=True)
class Scene:
    """A picture (H, W, 3) uint8, its segment ids (H, W) int32 (0 = void), and the segments sorted by id."""

    image: np.ndarray
    ids: np.ndarray
    segments: tuple[Segment, ...]


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


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]


def _sky(rng, h, w, s):
    y, _ = _grid(h, w)
    return 0.25 + 0.5 * y / h + 0.7 * np.clip(fractal(rng, h, w, 38 * s), 0, 1)


def _grass(rng, h, w, s):
    return 0.5 + 0.45 * noise(rng, h, w, 5 * s, 1.7 * s) + 0.2 * noise(rng, h, w, 24 * s)


def _sand(rng, h, w, s):
    y, x = _grid(h, w)
    ripples = np.sin((y + rng.uniform(-0.5, 0.5) * x) * (0.85 / s) + 3 * noise(rng, h, w, 25 * s))
    return 0.55 + 0.2 * ripples + 0.35 * noise(rng, h, w, 1.3 * s)


def _water(rng, h, w, s):
    y, _ = _grid(h, w)
    waves = np.sin(y * (1.2 / s) + 4 * noise(rng, h, w, 9 * s, 22 * s))
    glints = np.clip(4 * noise(rng, h, w, 2 * s, 9 * s) - 2.2, 0, 1)
    return 0.4 + 0.3 * waves + 0.5 * glints


def _wall(rng, h, w, s):
    y, x = _grid(h, w)
    tilt = rng.uniform(-0.12, 0.12)
    down, along = (y + tilt * x + h) / (6 * s), (x - tilt * y + w) / (11 * s)
    course = np.floor(down).astype(np.int64)
    along = along + 0.5 * (course % 2)
    tones = rng.random(64 * 64, dtype=np.float32)[(course * 64 + np.floor(along).astype(np.int64)) % (64 * 64)]
    mortar = (down % 1 < 0.2) | (along % 1 < 0.12)
    return np.where(mortar, 1.0, 0.15 + 0.4 * tones) + 0.12 * noise(rng, h, w, 1.5 * s)


def _path(rng, h, w, s):
    y, x = _grid(h, w)
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


def _stuff_texture(rng: np.random.Generator, name: str, height: int, width: int, scale: float) -> np.ndarray:
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
    # The pattern of the stuff `rubble`, on purpose: only outline and shading tell a boulder from it.
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
    "boulder": (_boulder, _stone, *STUFF_LOOK["rubble"][1:]),
}


@dataclass(frozen=True)
class _Sprite:
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


def _sprite(
    rng: np.random.Generator,
    name: str | None,
    centre: tuple[float, float],
    radius: float,
    size: tuple[int, int],
) -> _Sprite:
    """A thing at `centre` (y, x); `name` None makes something unknown with the look of several classes."""
    reach = radius * 1.35 + 2
    top, left = max(0, int(centre[0] - reach)), max(0, int(centre[1] - reach))
    bottom, right = min(size[0], int(centre[0] + reach) + 1), min(size[1], int(centre[1] + reach) + 1)
    y, x = _grid(bottom - top, right - left)
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
    return _Sprite(name, window, distance.astype(np.float32), colour.astype(np.float32), radius)


def _cover(picture: np.ndarray, colour: np.ndarray, distance: np.ndarray, strength: float = 1.0) -> None:
    """Paints `colour` where `distance` < 0, with a border one pixel soft. Changes `picture`."""
    alpha = (np.clip(0.5 - distance, 0, 1) * strength)[..., None]
    picture += (colour - picture) * alpha


def _cast_shadow(picture: np.ndarray, sprite: _Sprite) -> None:
    """Darkens `picture` to the lower right of a sprite. Changes `picture`."""
    offset = max(1, round(0.12 * sprite.radius))
    target = picture[sprite.window][offset:, offset:]
    distance = sprite.distance[:-offset, :-offset][: target.shape[0], : target.shape[1]]
    target *= 1 - 0.35 * np.clip(0.5 - distance / (1 + 0.15 * sprite.radius), 0, 1)[..., None]


# ---- Layout: which stuff lies where, and which things lie on it. ----


def _split(rng: np.random.Generator, size: tuple[int, int], scale: float, angle: float, at: float) -> np.ndarray:
    """Distance (H, W) to a wavy border along `angle` that lies at `at`, a share of the way across."""
    (height, width), (y, x) = size, _grid(*size)
    across = np.cos(angle) * (y - at * height) + np.sin(angle) * (x - at * width)
    return across + scale * (9 * noise(rng, *size, 45 * scale) + 3.5 * fractal(rng, *size, 9 * scale))


def _ribbon(rng: np.random.Generator, size: tuple[int, int], scale: float) -> np.ndarray:
    """Distance (H, W) to a winding band right across the picture, or to a short piece of one."""
    (height, width), (y, x) = size, _grid(*size)
    angle = rng.uniform(0, np.pi)
    across = np.cos(angle) * (y - height * rng.uniform(0.3, 0.8)) + np.sin(angle) * (x - width * rng.uniform(0.2, 0.8))
    along = np.cos(angle) * (x - width / 2) - np.sin(angle) * (y - height / 2)
    wave = along / (scale * rng.uniform(11, 20)) + rng.uniform(0, 2 * np.pi)
    across = across + scale * (rng.uniform(3, 7) * np.sin(wave) + 8 * noise(rng, *size, 50 * scale))
    half = 0.5 * scale * rng.uniform(*RIBBON_WIDTH)
    band = np.abs(across) - half + 0.9 * scale * noise(rng, *size, 4 * scale)
    if rng.random() < RIBBON_SHORT_CHANCE:
        start = rng.uniform(-0.35, 0.1) * width
        band = np.maximum(band, np.abs(along - start - 15 * scale) - scale * rng.uniform(10, 28))
    return band


def _blob(
    rng: np.random.Generator, size: tuple[int, int], scale: float, area: float, *, top: float = 0.08
) -> np.ndarray:
    """Distance (H, W) to an irregular patch of about `area` reference pixels, centred below `top` (share)."""
    (height, width), (y, x) = size, _grid(*size)
    radius = scale * float(np.sqrt(area / np.pi))
    y, x = y - rng.uniform(top, 0.95) * height, x - rng.uniform(0.05, 0.95) * width
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(0.65, 1.0)
    u, v = (
        (np.cos(angle) * x + np.sin(angle) * y) * stretch,
        (np.cos(angle) * y - np.sin(angle) * x) / stretch,
    )
    distance = np.hypot(u, v) - radius + 0.4 * radius * fractal(rng, *size, max(3.0, 0.9 * radius))
    return (distance + 0.8 * scale * noise(rng, *size, 3 * scale)).astype(np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _pick(rng: np.random.Generator, names: list[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _stuff_layers(rng: np.random.Generator, size: tuple[int, int], scale: float) -> list[tuple[str, np.ndarray]]:
    """The stuff of a scene from back to front: (name, distance (H, W)); the first layer covers everything."""
    grounds = [str(name) for name in rng.permutation(["grass", "sand", "water", "wall"])]
    everywhere = np.full(size, -1e3, dtype=np.float32)
    if rng.random() < 0.6:
        # A view with a horizon. The distance grows downwards, so the lower side is where it is positive.
        grounds = [name for name in grounds if name != "wall"]
        back = "sky" if rng.random() < 0.75 else "wall"
        horizon = _split(rng, size, scale, rng.uniform(-0.15, 0.15), rng.uniform(0.2, 0.5))
        layers = [(back, everywhere), (grounds[0], -horizon)]
        if rng.random() < 0.55:
            border = _split(rng, size, scale, rng.uniform(-0.6, 0.6), rng.uniform(0.55, 0.85))
            layers.append((grounds[1], np.maximum(-border, -horizon + 4 * scale)))
    else:
        # A view from above.
        layers = [(grounds[0], everywhere)]
        for name in grounds[1 : 1 + int(rng.integers(1, 3))]:
            border = _split(rng, size, scale, rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.65))
            layers.append((name, border))

    if rng.random() < RIBBON_CHANCE:
        name = _pick(rng, ["path", "path", "water", "hedge"])
        band = _ribbon(rng, size, scale)
        # No path through the sky.
        layers.append((name, np.maximum(band, layers[1][1]) if layers[0][0] == "sky" else band))

    # Nor do rocks lie in it.
    top = 0.5 if layers[0][0] == "sky" else 0.08
    present = {name for name, _ in layers}
    patch_names = [n for n in ("rubble", "rubble", "hedge", "hedge", "path", "water", "sand") if n not in present]
    if rng.random() < LARGE_PATCH_CHANCE:
        name = _pick(rng, patch_names)
        layers.append((name, _blob(rng, size, scale, _log_uniform(rng, *LARGE_PATCH_AREA), top=top)))
    for _ in range(int(rng.integers(SMALL_PATCHES_PER_IMAGE[0], SMALL_PATCHES_PER_IMAGE[1] + 1))):
        # Stuff has one segment per class: only a class not yet there gives a small segment.
        free = [n for n in patch_names if n not in {name for name, _ in layers}]
        name = _pick(rng, free or patch_names)
        layers.append((name, _blob(rng, size, scale, _log_uniform(rng, *SMALL_PATCH_AREA), top=top)))
    return layers


def _void_over_stuff(rng: np.random.Generator, stuff: np.ndarray, scale: float) -> np.ndarray:
    """Pixels (H, W) bool of stuff that nobody labelled: patches, and bands along borders between classes."""
    void = np.zeros(stuff.shape, dtype=bool)
    if rng.random() < VOID_PATCH_CHANCE:
        void |= _blob(rng, stuff.shape, scale, _log_uniform(rng, 60, 500)) < 0
    if rng.random() < VOID_BAND_CHANCE:
        border = np.zeros(stuff.shape, dtype=np.uint8)
        border[:-1] |= stuff[:-1] != stuff[1:]
        border[:, :-1] |= stuff[:, :-1] != stuff[:, 1:]
        width = max(1, round(1.5 * scale))
        border = cv2.dilate(border, np.ones((width, width), dtype=np.uint8))
        void |= (border > 0) & (noise(rng, *stuff.shape, 25 * scale) > 0)
    return void


def _void_border(rng: np.random.Generator, size: tuple[int, int], scale: float) -> np.ndarray:
    """Pixels (H, W) bool of a ragged unlabelled strip along one side; nothing in most scenes."""
    if rng.random() >= VOID_BORDER_CHANCE:
        return np.zeros(size, dtype=bool)
    (height, width), (y, x) = size, _grid(*size)
    side = [y + 0 * x, x + 0 * y, height - 1 - y + 0 * x, width - 1 - x + 0 * y][int(rng.integers(4))]
    return side + 1.5 * scale * noise(rng, *size, 8 * scale) < scale * rng.uniform(2, 6)


def _crowd(rng: np.random.Generator, size: tuple[int, int], scale: float) -> list[_Sprite]:
    """Tiny things of one class, close together."""
    name = _pick(rng, list(THINGS))
    centre = rng.uniform(0.25, 0.85) * size[0], rng.uniform(0.2, 0.8) * size[1]
    members = int(rng.integers(CROWD_MEMBERS[0], CROWD_MEMBERS[1] + 1))
    spread = 2.2 * scale * np.sqrt(members)
    sprites = []
    for k in range(members):
        # A sunflower's spiral keeps them apart without being regular.
        angle, radius = 2.39996 * k + rng.normal(0, 0.2), spread * np.sqrt((k + 0.5) / members)
        place = centre[0] + 0.75 * radius * np.sin(angle), centre[1] + 1.35 * radius * np.cos(angle)
        if 0 <= place[0] < size[0] and 0 <= place[1] < size[1]:
            sprites.append(_sprite(rng, name, place, scale * rng.uniform(*CROWD_MEMBER_RADIUS), size))
    return sprites


def _crowd_region(sprites: list[_Sprite], size: tuple[int, int], scale: float) -> np.ndarray:
    """What an annotator outlines (H, W) bool: the members and the narrow gaps between them."""
    region = np.zeros(size, dtype=np.uint8)
    for sprite in sprites:
        region[sprite.window] |= sprite.mask
    width = max(3, 2 * round(1.5 * scale) + 1)
    return cv2.morphologyEx(region, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))) > 0


def _place_things(rng: np.random.Generator, hidden: np.ndarray, scale: float) -> tuple[list[_Sprite], list[np.ndarray]]:
    """Things from front to back, with the pixels (H, W) bool of each that can be seen.

    A thing of which too little can be seen is left out altogether, before those behind it are placed.
    `hidden` (H, W) bool says where nothing can be labelled.
    """
    size = hidden.shape
    wanted = int(rng.integers(THINGS_PER_IMAGE[0], THINGS_PER_IMAGE[1] + 1))
    # In pictures below the reference size, things shrink no further than they can be recognised.
    smallest = THING_RADIUS[0] * max(1.0, scale)
    radii = [max(smallest, scale * _log_uniform(rng, *THING_RADIUS)) for _ in range(wanted)]
    # The front is mostly, not always, small: a large thing in front would hide all the rest.
    radii.sort(key=lambda radius: radius * np.exp(rng.normal(0, 0.7)))
    names: list[str | None] = [_pick(rng, list(THINGS)) for _ in radii]
    if rng.random() < UNKNOWN_OBJECT_CHANCE:
        place = int(rng.integers(wanted + 1))
        names.insert(place, None)
        radii.insert(place, scale * rng.uniform(5, 13))

    taken, sprites, visible, centres = hidden.copy(), [], [], []
    for name, radius in zip(names, radii, strict=True):
        for _ in range(30):
            centre = rng.uniform(0.05, 0.97) * size[0], rng.uniform(0.03, 0.97) * size[1]
            if centres and rng.random() < OVERLAP_CHANCE:
                y, x, other = centres[int(rng.integers(len(centres)))]
                angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.95) * (radius + other)
                centre = y + gap * np.sin(angle), x + gap * np.cos(angle)
            if not (0 <= centre[0] < size[0] and 0 <= centre[1] < size[1]):
                continue
            sprite = _sprite(rng, name, centre, radius, size)
            seen = np.zeros(size, dtype=bool)
            seen[sprite.window] = sprite.mask & ~taken[sprite.window]
            if np.count_nonzero(seen) >= max(MIN_THING_PIXELS, MIN_VISIBLE_SHARE * np.count_nonzero(sprite.mask)):
                taken |= seen
                sprites.append(sprite)
                visible.append(seen)
                centres.append((*centre, radius))
                break
            # What does not fit is tried elsewhere and smaller, so that the number of things is the wanted
            # one.
            radius = max(smallest, 0.9 * radius)
    return sprites, visible


def _expose(rng: np.random.Generator, picture: np.ndarray, scale: float) -> np.ndarray:
    """The painted scene (H, W, 3) as a camera sees it: uneven light, white balance, blur and noise; uint8."""
    height, width = picture.shape[:2]
    light = 1 + LIGHT_FIELD * noise(rng, height, width, 70 * scale) + rng.normal(0, LIGHT_GAIN)
    balance = 1 + rng.normal(0, 0.4 * LIGHT_GAIN, 3)
    picture = picture * (light[..., None] * balance).astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(*BLUR_SIGMA)) * scale)
    picture = picture + rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(*IMAGE_NOISE))
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _segment_ids(rng: np.random.Generator, count: int) -> list[int]:
    """Distinct ids below 2**24 of one, two or three bytes: an RGB coding that forgets one cannot pass."""
    ids: set[int] = set()
    while len(ids) < count:
        ids.add(int(rng.integers(1, 256 ** int(rng.integers(1, 4)))))
    return [int(i) for i in rng.permutation(sorted(ids))]


def _label(rng: np.random.Generator, parts: list[tuple[int, np.ndarray, int]], size: tuple[int, int]) -> tuple:
    """Ids (H, W) int32 and segments of disjoint parts (category id, mask (H, W) bool, iscrowd)."""
    ids, segments = np.zeros(size, dtype=np.int32), []
    for segment_id, (category_id, mask, iscrowd) in zip(_segment_ids(rng, len(parts)), parts, strict=True):
        ids[mask] = segment_id
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        bbox = int(cols[0]), int(rows[0]), int(cols[-1] - cols[0] + 1), int(rows[-1] - rows[0] + 1)
        segments.append(Segment(segment_id, category_id, int(np.count_nonzero(mask)), bbox, iscrowd))
    return ids, tuple(sorted(segments, key=lambda segment: segment.id))


def draw_scene(*, seed: int, split: int, index: int, height: int, width: int) -> Scene:
    """Draws one scene.

    Args:
        seed: the data set's seed, >= 0.
        split: a number per split, so that splits differ.
        index: the picture's number in its split. Pictures depend neither on each other nor on their number.
        height: in pixels, at least 64.
        width: in pixels, at least 64.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, split, index]))
    size, scale = (height, width), float(np.sqrt(height * width / REFERENCE_AREA))

    picture = np.zeros((height, width, 3), dtype=np.float32)
    stuff = np.zeros(size, dtype=np.int32)
    textures: dict[str, np.ndarray] = {}
    for name, distance in _stuff_layers(rng, size, scale):
        if name not in textures:
            textures[name] = _stuff_texture(rng, name, height, width, scale)
        _cover(picture, textures[name], distance)
        stuff[distance < 0] = CATEGORY_ID[name]

    for _ in range(int(rng.integers(DISTRACTORS_PER_IMAGE[0], DISTRACTORS_PER_IMAGE[1] + 1))):
        centre = rng.uniform(0, height), rng.uniform(0, width)
        sprite = _sprite(rng, _pick(rng, list(THINGS)), centre, scale * rng.uniform(*DISTRACTOR_RADIUS), size)
        _cover(picture[sprite.window], sprite.colour, sprite.distance, float(rng.uniform(*DISTRACTOR_CONTRAST)))

    stuff[_void_over_stuff(rng, stuff, scale)] = 0
    border = _void_border(rng, size, scale)
    sprites, visible = _place_things(rng, border, scale)
    taken = np.logical_or.reduce([border, *visible])
    parts = [(CATEGORY_ID[s.name], seen, 0) for s, seen in zip(sprites, visible, strict=True) if s.name is not None]

    # Crowds lie behind all other things.
    if rng.random() < CROWD_CHANCE:
        crowd = _crowd(rng, size, scale)
        region = _crowd_region(crowd, size, scale)
        seen = region & ~taken
        if crowd and np.count_nonzero(seen) >= 0.5 * np.count_nonzero(region):
            parts.append((CATEGORY_ID[crowd[0].name], seen, 1))
            taken |= seen
            sprites = sprites + crowd

    for sprite in reversed(sprites):
        _cast_shadow(picture, sprite)
        _cover(picture[sprite.window], sprite.colour, sprite.distance)

    stuff[taken] = 0
    for category_id in sorted(set(np.unique(stuff).tolist()) - {0}):
        mask = stuff == category_id
        if np.count_nonzero(mask) >= MIN_STUFF_PIXELS:
            parts.append((category_id, mask, 0))
    ids, segments = _label(rng, parts, size)
    return Scene(_expose(rng, picture, scale), ids, segments)
