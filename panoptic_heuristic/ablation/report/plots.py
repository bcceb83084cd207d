"""The style that all figures of a report share, and their way into files."""

import contextlib
import enum
import io
from typing import Dict, Iterator, List, Sequence, Tuple

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from panoptic_heuristic.ablation.report.slices import FRACTION, PIXELS, UNITS, Axis
from panoptic_heuristic.ablation.report.words import threshold

# Told apart by people who confuse red and green, too (Okabe and Ito, "Color Universal Design").
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
INK, FAINT, GRID = "#1f2328", "#6a737d", "#e3e6ea"
BEST, DEFAULT = "#d52f00", "#1f2328"

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
_PAPER_STYLE = {
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.linewidth": 0.7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    # Text stays text, and its fonts are in the PDF as TrueType, since publishers refuse those of type 3.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Ids that are the same in every run.
    "svg.hashsalt": "panoptic_heuristic",
}
PAPER_WIDTH = 3.3
"""In inches, 8.4 cm: a column of a paper with two."""
# Of what is too much for vectors: the dots of thousands of settings, the cells of a heat map.
_PAPER_DOTS_PER_INCH = 600
# Widths in a paper's legend in inches.
_LEGEND_MARK, _LETTER = 0.5, 0.065
# A page shows 96 pixels per inch; twice as many are sharp on fine screens.
_DOTS_PER_INCH = 192
# Width of a digit of a tick label in inches.
_DIGIT = 0.068


class Form(enum.Enum):
    """The kind of a figure's file: PNG for the page, SVG and PDF for a paper, as wide as a column of it."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"

    @property
    def is_for_paper(self) -> bool:
        """True for SVG and PDF."""
        return self is not Form.PNG


# Nothing that another day or another version of matplotlib would change.
_METADATA: Dict[Form, Dict[str, None]] = {
    Form.PNG: {"Software": None},
    Form.SVG: {"Creator": None, "Date": None},
    Form.PDF: {"Creator": None, "Producer": None, "CreationDate": None},
}


@contextlib.contextmanager
def style(form: Form = Form.PNG) -> Iterator[None]:
    """The style of all figures of a form, for as long as the block runs, whatever the user's is."""
    look = {**_STYLE, **_PAPER_STYLE} if form.is_for_paper else _STYLE
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **look, "backend": matplotlib.get_backend()}):
        yield


def to_file(figure: Figure, form: Form = Form.PNG) -> bytes:
    """The figure's file, to be made in its form's style; equal figures give equal bytes."""
    content = io.BytesIO()
    dots = _PAPER_DOTS_PER_INCH if form.is_for_paper else _DOTS_PER_INCH
    figure.savefig(content, format=form.value, dpi=dots, metadata=_METADATA[form])
    return content.getvalue()


def axis_label(axis: Axis) -> str:
    """The threshold's name with its unit."""
    return f"{axis.name} ({UNITS[axis.name]})" if UNITS[axis.name] else axis.name


def scale_x(axes: Axes, axis: Axis, inches: float) -> None:
    """Gives x the scale and ticks of a threshold.

    Stuff limits are areas and lie close together near 0, so their scale is that of their square root,
    the side of a square of that area.

    Args:
        axes: where x is.
        axis: the threshold.
        inches: about how wide the axes are.
    """
    if axis.name in (PIXELS, FRACTION):
        axes.set_xscale("function", functions=(_signed_root, _signed_square))
    axes.set_xticks(axis.values, minor=True)
    label = max(len(threshold(value)) for value in axis.values) * _DIGIT + 2 * _DIGIT
    ticks = spaced(axis.values, lambda value: axes.transScale.transform((value, 0))[0], label / inches)
    axes.set_xticks(ticks, [threshold(value) for value in ticks])
    axes.tick_params(which="minor", length=2)
    axes.set_xlabel(axis_label(axis))


def _signed_root(x: np.ndarray) -> np.ndarray:
    # Below 0 there are no limits, but a margin.
    return np.sign(x) * np.sqrt(np.abs(x))


def _signed_square(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.square(x)


def spaced(values: Sequence[float], position, least: float) -> List[float]:
    """The first and last of some ascending values, and as many between them as keep their distance.

    Args:
        values: at least one.
        position: where on the axis a value lies.
        least: the distance, as a share of the whole axis.
    """
    places = [position(value) for value in values]
    least *= places[-1] - places[0]
    chosen = [0]
    for place in range(1, len(values) - 1):
        if places[place] - places[chosen[-1]] >= least and places[-1] - places[place] >= least:
            chosen.append(place)
    if len(values) > 1:
        chosen.append(len(values) - 1)
    return [values[place] for place in chosen]


def best_marker() -> Dict:
    """The looks of the best setting."""
    return {
        "marker": "*", "markersize": 13, "markerfacecolor": BEST, "markeredgecolor": "white", "linestyle": "none",
        "zorder": 6,
    }  # fmt: skip


def default_marker() -> Dict:
    """The looks of the default."""
    return {
        "marker": "D", "markersize": 6.5, "markerfacecolor": "white", "markeredgecolor": DEFAULT,
        "markeredgewidth": 1.6, "linestyle": "none", "zorder": 5,
    }  # fmt: skip


def legend_columns(handles: Sequence[Artist], form: Form) -> int:
    """How many entries of a legend stand beside each other: on a page all, in a paper's column what it has room for."""
    if not form.is_for_paper:
        return len(handles)
    widest = _LEGEND_MARK + _LETTER * max(len(str(handle.get_label())) for handle in handles)
    return min(max(int(PAPER_WIDTH / widest), 1), len(handles))


def paper_height(panels: float, handles: Sequence[Artist]) -> float:
    """The height in inches of a figure for papers: that of its panels, a name of an axis and the legend below them."""
    return panels + 0.35 + 0.17 * -(-len(handles) // legend_columns(handles, Form.PDF))


def legend_entries() -> Tuple[Line2D, Line2D]:
    """The two marks, for a legend."""
    return Line2D([], [], label="best", **best_marker()), Line2D([], [], label="default", **default_marker())
