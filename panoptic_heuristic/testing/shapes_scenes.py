"""Draws the scenes of the built-in data set, `shapes`: landscapes of textured stuff with things on them.

A scene is a pure function of (seed, split, index, size). Everything is painted as layers, each with an
outline given as a signed distance in pixels (negative inside) that noise makes irregular: first the stuff,
then the things from back to front. The labels follow the same outlines, so image and annotation agree to
the pixel.

Lengths are given in pixels of a 128 x 160 picture and grow with the square root of the picture's area.

Shapes: (H, W) a picture's height and width, (h, w) those of a crop. Pictures are float32 RGB in [0, 1] while
they are painted and uint8 at the end.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from panoptic_heuristic.testing import shapes_settings as settings
from panoptic_heuristic.testing.shapes_looks import (
    Sprite,
    cast_shadow,
    cover,
    fractal,
    grid_of,
    make_sprite,
    noise,
    stuff_texture,
)


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


# ---- Layout: which stuff lies where, and which things lie on it. ----


def _split(rng: np.random.Generator, size: tuple[int, int], scale: float, angle: float, at: float) -> np.ndarray:
    """Distance (H, W) to a wavy border along `angle` that lies at `at`, a share of the way across."""
    (height, width), (y, x) = size, grid_of(*size)
    across = np.cos(angle) * (y - at * height) + np.sin(angle) * (x - at * width)
    return across + scale * (9 * noise(rng, *size, 45 * scale) + 3.5 * fractal(rng, *size, 9 * scale))


def _ribbon(rng: np.random.Generator, size: tuple[int, int], scale: float) -> np.ndarray:
    """Distance (H, W) to a winding band right across the picture, or to a short piece of one."""
    (height, width), (y, x) = size, grid_of(*size)
    angle = rng.uniform(0, np.pi)
    across = np.cos(angle) * (y - height * rng.uniform(0.3, 0.8)) + np.sin(angle) * (x - width * rng.uniform(0.2, 0.8))
    along = np.cos(angle) * (x - width / 2) - np.sin(angle) * (y - height / 2)
    wave = along / (scale * rng.uniform(11, 20)) + rng.uniform(0, 2 * np.pi)
    across = across + scale * (rng.uniform(3, 7) * np.sin(wave) + 8 * noise(rng, *size, 50 * scale))
    half = 0.5 * scale * rng.uniform(*settings.RIBBON_WIDTH)
    band = np.abs(across) - half + 0.9 * scale * noise(rng, *size, 4 * scale)
    if rng.random() < settings.RIBBON_SHORT_CHANCE:
        start = rng.uniform(-0.35, 0.1) * width
        band = np.maximum(band, np.abs(along - start - 15 * scale) - scale * rng.uniform(10, 28))
    return band


def _blob(
    rng: np.random.Generator, size: tuple[int, int], scale: float, area: float, *, top: float = 0.08
) -> np.ndarray:
    """Distance (H, W) to an irregular patch of about `area` reference pixels, centred below `top` (share)."""
    (height, width), (y, x) = size, grid_of(*size)
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

    if rng.random() < settings.RIBBON_CHANCE:
        name = _pick(rng, ["path", "path", "water", "hedge"])
        band = _ribbon(rng, size, scale)
        # No path through the sky.
        layers.append((name, np.maximum(band, layers[1][1]) if layers[0][0] == "sky" else band))

    # Nor do rocks lie in it.
    top = 0.5 if layers[0][0] == "sky" else 0.08
    present = {name for name, _ in layers}
    patch_names = [n for n in ("rubble", "rubble", "hedge", "hedge", "path", "water", "sand") if n not in present]
    if rng.random() < settings.LARGE_PATCH_CHANCE:
        name = _pick(rng, patch_names)
        layers.append((name, _blob(rng, size, scale, _log_uniform(rng, *settings.LARGE_PATCH_AREA), top=top)))
    for _ in range(int(rng.integers(settings.SMALL_PATCHES_PER_IMAGE[0], settings.SMALL_PATCHES_PER_IMAGE[1] + 1))):
        # Stuff has one segment per class: only a class not yet there gives a small segment.
        free = [n for n in patch_names if n not in {name for name, _ in layers}]
        name = _pick(rng, free or patch_names)
        layers.append((name, _blob(rng, size, scale, _log_uniform(rng, *settings.SMALL_PATCH_AREA), top=top)))
    return layers


def _void_over_stuff(rng: np.random.Generator, stuff: np.ndarray, scale: float) -> np.ndarray:
    """Pixels (H, W) bool of stuff that nobody labelled: patches, and bands along borders between classes."""
    void = np.zeros(stuff.shape, dtype=bool)
    if rng.random() < settings.VOID_PATCH_CHANCE:
        void |= _blob(rng, stuff.shape, scale, _log_uniform(rng, 60, 500)) < 0
    if rng.random() < settings.VOID_BAND_CHANCE:
        border = np.zeros(stuff.shape, dtype=np.uint8)
        border[:-1] |= stuff[:-1] != stuff[1:]
        border[:, :-1] |= stuff[:, :-1] != stuff[:, 1:]
        width = max(1, round(1.5 * scale))
        border = cv2.dilate(border, np.ones((width, width), dtype=np.uint8))
        void |= (border > 0) & (noise(rng, *stuff.shape, 25 * scale) > 0)
    return void


def _void_border(rng: np.random.Generator, size: tuple[int, int], scale: float) -> np.ndarray:
    """Pixels (H, W) bool of a ragged unlabelled strip along one side; nothing in most scenes."""
    if rng.random() >= settings.VOID_BORDER_CHANCE:
        return np.zeros(size, dtype=bool)
    (height, width), (y, x) = size, grid_of(*size)
    side = [y + 0 * x, x + 0 * y, height - 1 - y + 0 * x, width - 1 - x + 0 * y][int(rng.integers(4))]
    return side + 1.5 * scale * noise(rng, *size, 8 * scale) < scale * rng.uniform(2, 6)


def _crowd(rng: np.random.Generator, size: tuple[int, int], scale: float) -> list[Sprite]:
    """Tiny things of one class, close together."""
    name = _pick(rng, list(settings.THINGS))
    centre = rng.uniform(0.25, 0.85) * size[0], rng.uniform(0.2, 0.8) * size[1]
    members = int(rng.integers(settings.CROWD_MEMBERS[0], settings.CROWD_MEMBERS[1] + 1))
    spread = 2.2 * scale * np.sqrt(members)
    sprites = []
    for k in range(members):
        # A sunflower's spiral keeps them apart without being regular.
        angle, radius = 2.39996 * k + rng.normal(0, 0.2), spread * np.sqrt((k + 0.5) / members)
        place = centre[0] + 0.75 * radius * np.sin(angle), centre[1] + 1.35 * radius * np.cos(angle)
        if 0 <= place[0] < size[0] and 0 <= place[1] < size[1]:
            sprites.append(make_sprite(rng, name, place, scale * rng.uniform(*settings.CROWD_MEMBER_RADIUS), size))
    return sprites


def _crowd_region(sprites: list[Sprite], size: tuple[int, int], scale: float) -> np.ndarray:
    """The outline (H, W) bool that an annotator draws: the members and the narrow gaps between them."""
    region = np.zeros(size, dtype=np.uint8)
    for sprite in sprites:
        region[sprite.window] |= sprite.mask
    width = max(3, 2 * round(1.5 * scale) + 1)
    return cv2.morphologyEx(region, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))) > 0


def _radius(rng: np.random.Generator, scale: float) -> float:
    low, high = settings.THING_RADIUS
    if rng.random() < settings.SMALL_THING_CHANCE:
        low, high = settings.SMALL_THING_RADIUS
    # In pictures below the reference size, things shrink no further than they can be recognised.
    return max(low * max(1.0, scale), scale * _log_uniform(rng, low, high))


def _place_things(rng: np.random.Generator, hidden: np.ndarray, scale: float) -> tuple[list[Sprite], list[np.ndarray]]:
    """Things from front to back, with the pixels (H, W) bool of each that can be seen.

    A thing of which too little can be seen is left out altogether, before those behind it are placed.
    `hidden` (H, W) bool says where nothing can be labelled.
    """
    size = hidden.shape
    wanted = int(rng.integers(settings.THINGS_PER_IMAGE[0], settings.THINGS_PER_IMAGE[1] + 1))
    radii = [_radius(rng, scale) for _ in range(wanted)]
    # The front is mostly, not always, small: a large thing in front would hide all the rest.
    radii.sort(key=lambda radius: radius * np.exp(rng.normal(0, 0.7)))
    names: list[str | None] = [_pick(rng, list(settings.THINGS)) for _ in radii]
    if rng.random() < settings.UNKNOWN_OBJECT_CHANCE:
        place = int(rng.integers(wanted + 1))
        names.insert(place, None)
        radii.insert(place, scale * rng.uniform(5, 13))

    taken, sprites, visible, centres = hidden.copy(), [], [], []
    for name, radius in zip(names, radii, strict=True):
        for _ in range(30):
            centre = rng.uniform(0.05, 0.97) * size[0], rng.uniform(0.03, 0.97) * size[1]
            if centres and rng.random() < settings.OVERLAP_CHANCE:
                y, x, other = centres[int(rng.integers(len(centres)))]
                angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.95) * (radius + other)
                centre = y + gap * np.sin(angle), x + gap * np.cos(angle)
            if not (0 <= centre[0] < size[0] and 0 <= centre[1] < size[1]):
                continue
            sprite = make_sprite(rng, name, centre, radius, size)
            seen = np.zeros(size, dtype=bool)
            seen[sprite.window] = sprite.mask & ~taken[sprite.window]
            if np.count_nonzero(seen) >= max(
                settings.MIN_THING_PIXELS, settings.MIN_VISIBLE_SHARE * np.count_nonzero(sprite.mask)
            ):
                taken |= seen
                sprites.append(sprite)
                visible.append(seen)
                centres.append((*centre, radius))
                break
            # What does not fit is tried elsewhere and smaller, so that the number of things is the wanted
            # one.
            radius = max(min(radius, settings.THING_RADIUS[0] * max(1.0, scale)), 0.9 * radius)
    return sprites, visible


def _expose(rng: np.random.Generator, picture: np.ndarray, scale: float) -> np.ndarray:
    """The painted scene (H, W, 3) as a camera sees it: uneven light, white balance, blur and noise; uint8."""
    height, width = picture.shape[:2]
    light = 1 + settings.LIGHT_FIELD * noise(rng, height, width, 70 * scale) + rng.normal(0, settings.LIGHT_GAIN)
    balance = 1 + rng.normal(0, 0.4 * settings.LIGHT_GAIN, 3)
    picture = picture * (light[..., None] * balance).astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(*settings.BLUR_SIGMA)) * scale)
    picture = picture + rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(
        rng.uniform(*settings.IMAGE_NOISE)
    )
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
    size, scale = (height, width), float(np.sqrt(height * width / settings.REFERENCE_AREA))

    picture = np.zeros((height, width, 3), dtype=np.float32)
    stuff = np.zeros(size, dtype=np.int32)
    textures: dict[str, np.ndarray] = {}
    for name, distance in _stuff_layers(rng, size, scale):
        if name not in textures:
            textures[name] = stuff_texture(rng, name, height, width, scale)
        cover(picture, textures[name], distance)
        stuff[distance < 0] = settings.CATEGORY_ID[name]

    for _ in range(int(rng.integers(settings.DISTRACTORS_PER_IMAGE[0], settings.DISTRACTORS_PER_IMAGE[1] + 1))):
        centre = rng.uniform(0, height), rng.uniform(0, width)
        sprite = make_sprite(
            rng, _pick(rng, list(settings.THINGS)), centre, scale * rng.uniform(*settings.DISTRACTOR_RADIUS), size
        )
        cover(picture[sprite.window], sprite.colour, sprite.distance, float(rng.uniform(*settings.DISTRACTOR_CONTRAST)))

    stuff[_void_over_stuff(rng, stuff, scale)] = 0
    border = _void_border(rng, size, scale)
    sprites, visible = _place_things(rng, border, scale)
    taken = np.logical_or.reduce([border, *visible])
    parts = [
        (settings.CATEGORY_ID[s.name], seen, 0) for s, seen in zip(sprites, visible, strict=True) if s.name is not None
    ]

    # Crowds lie behind all other things.
    if rng.random() < settings.CROWD_CHANCE:
        crowd = _crowd(rng, size, scale)
        region = _crowd_region(crowd, size, scale)
        seen = region & ~taken
        if crowd and np.count_nonzero(seen) >= 0.5 * np.count_nonzero(region):
            parts.append((settings.CATEGORY_ID[crowd[0].name], seen, 1))
            taken |= seen
            sprites = sprites + crowd

    for sprite in reversed(sprites):
        cast_shadow(picture, sprite)
        cover(picture[sprite.window], sprite.colour, sprite.distance)

    stuff[taken] = 0
    for category_id in sorted(set(np.unique(stuff).tolist()) - {0}):
        mask = stuff == category_id
        if np.count_nonzero(mask) >= settings.MIN_STUFF_PIXELS:
            parts.append((category_id, mask, 0))
    ids, segments = _label(rng, parts, size)
    return Scene(_expose(rng, picture, scale), ids, segments)
