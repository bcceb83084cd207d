"""Fonts of a few characters, in place of those that a system has or lacks."""

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from panoptic_heuristic.visual import fonts, text


def write_font(path, characters, width=1000):
    """A font that draws each of some characters as a full square, ``width`` of 1000 wide."""
    pen = TTGlyphPen(None)
    for place, point in enumerate([(0, 0), (0, 800), (width, 800), (width, 0)]):
        (pen.lineTo if place else pen.moveTo)(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000)
    names = {ord(character): f"uni{ord(character):04X}" for character in characters}
    glyphs = [".notdef", *names.values()]
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(glyphs, square))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (width, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def use_system_fonts(monkeypatch, *paths):
    """Makes these all the fonts that the system has."""
    monkeypatch.setattr(fonts, "system_fonts", lambda: paths)
    forget()


def forget():
    """Drops what is remembered of the system's fonts and of texts in them."""
    fonts.font_with.cache_clear()
    text.text_size.cache_clear()
