"""Colours of categories whose data set gives them none."""

import colorsys
from typing import Tuple

_FORMULA = 21
"""Places whose colours the formula gives: after as many steps its hues come round."""

# Each at least 10 from all others, from the colours of the formula, and from the black of void and the white of
# outlines, both by CIE76 and by CIEDE2000. Found by packing a grid of the sRGB cube, then ordered so that those that
# are used first are farthest apart.
_TABLE = tuple(
    bytes.fromhex(color)
    for color in """
    c8aac8 0096e6 1e3c28 8c8c8c 46321e bed2b4 ffb4a0 785a64 a0c8f0 fad200 3c2832 5a8282 d2bea0 ff5a3c 827896
    b4826e 825028 ffa0f0 82a06e 3c5050 6e6e64 a08c5a 64aab4 fadcd2 32460a 3c4664 640028 c8c8f0 96e6c8 aa505a
    143c50 0a32dc c8781e aa82e6 0a82a0 8ca0d2 b4a096 145a50 ffc8dc faa0aa 5a5a64 5a5a32 3cbeff 6e5082 647896
    c85a14 a0e6fa 788228 a06414 967882 8c786e 826eb4 82a0b4 a03c00 14285a be6e6e 8c9682 009646 645000 82aa96
    dcc882 32ffe6 aa9628 bebeb4 d21e64 c8f0e6 6ea000 5a0a0a a096be 465a46 6e008c 0a468c aab4c8 28646e fa8c6e
    463c14 d2e6f0 3cf0aa ffbe8c dcc8d2 643200 b4648c f0c8fa a07850 3c1e50 5a6e78 aa96a0 8c0a00 822850 f0e6c8
    aa0abe b4faa0 00643c 140096 6e5a3c 466414 5a4646 503c5a 96c8c8 7878e6 d2aaaa 647864 0a78b4 be1e14 8cc896
    e66edc 46c8e6 ff14aa b4be82 f0e66e 283232 e6aa00 501e3c 00a0c8 e6465a 5a3228 e6783c 28786e c8a0e6 8c5a50
    289696 b40a32 787850 d28cbe ff6e6e 3cb478 0a3c3c 5a8cf0 a0780a f0141e 6e32ff fa78aa
    """.split()
)


def default_color(place: int) -> Tuple[int, int, int]:
    """The colour (R, G, B), each 0 to 255, of the category at a place of the list, counted from 0.

    The first 153 can be told from each other; later ones are other colours, but come near those.
    """
    if _FORMULA <= place < _FORMULA + len(_TABLE):
        red, green, blue = _TABLE[place - _FORMULA]
        return red, green, blue
    # Hues by the golden ratio lie far apart for neighbours in the list.
    hue = place * 0.6180339887498949 % 1.0
    parts = colorsys.hsv_to_rgb(hue, 0.65, 0.5 + 0.4 * (place % 3) / 2)
    return round(parts[0] * 255), round(parts[1] * 255), round(parts[2] * 255)
