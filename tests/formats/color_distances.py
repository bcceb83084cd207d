"""Distances of colours as people see them: CIE76 and CIEDE2000."""

import numpy as np

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colors):
    """CIELAB under D65 of sRGB colours, (..., 3) each 0 to 255."""
    share = np.asarray(colors, dtype=float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def cie76(one, other):
    """The distance of two colours in CIELAB."""
    return np.linalg.norm(one - other, axis=-1)


def ciede2000(one, other):
    """The distance after Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", 2005."""
    (light, a, b), (other_light, other_a, other_b) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    chroma = (np.hypot(a, b) + np.hypot(other_a, other_b)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    a, other_a = a * stretch, other_a * stretch
    first, second = np.hypot(a, b), np.hypot(other_a, other_b)
    hue, other_hue = np.degrees(np.arctan2(b, a)) % 360, np.degrees(np.arctan2(other_b, other_a)) % 360
    turn = np.where(first * second == 0, 0, (other_hue - hue + 180) % 360 - 180)
    mean_hue = np.where(first * second == 0, hue + other_hue, hue + turn / 2)
    mean_light, chroma = (light + other_light) / 2, (first + second) / 2
    t = (
        1
        - 0.17 * _cos(mean_hue - 30)
        + 0.24 * _cos(2 * mean_hue)
        + 0.32 * _cos(3 * mean_hue + 6)
        - 0.2 * _cos(4 * mean_hue - 63)
    )
    off = (mean_light - 50) ** 2
    lightness = (other_light - light) / (1 + 0.015 * off / np.sqrt(20 + off))
    saturation = (second - first) / (1 + 0.045 * chroma)
    tone = 2 * np.sqrt(first * second) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    angle = 60 * np.exp(-(((mean_hue % 360 - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(angle))
    return np.sqrt(lightness**2 + saturation**2 + tone**2 + rotation * saturation * tone)


def _cos(degrees):
    return np.cos(np.radians(degrees))
