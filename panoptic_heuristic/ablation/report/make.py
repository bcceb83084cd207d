"""The report of one or several sweeps: Markdown, one HTML page, CSV files and figures.

::

    OUTPUT/report.md      with the figures beside it as PNGs, and for papers as SVGs and PDFs if asked
    OUTPUT/report.html    the same on one page that needs no other file
    OUTPUT/settings.csv   all settings, best first
    OUTPUT/classes.csv    every class under the default and the best setting
    OUTPUT/tables/        every table of the report as CSV and as LaTeX
"""

import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Collection, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.attribution.attribute import attribute
from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, Default
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.report import comparison, effects, figures, models, sections
from panoptic_heuristic.ablation.report.changes import Pair, draw_change, find_changes
from panoptic_heuristic.ablation.report.comparison import Compared, check_same_grid, setting_for_all
from panoptic_heuristic.ablation.report.csv import write_classes, write_settings
from panoptic_heuristic.ablation.report.document import Block, Document, Heading, Link, Picture, Text
from panoptic_heuristic.ablation.report.html import to_html
from panoptic_heuristic.ablation.report.latex import to_latex
from panoptic_heuristic.ablation.report.markdown import to_markdown
from panoptic_heuristic.ablation.report.mended import MENDED, error_blocks
from panoptic_heuristic.ablation.report.plots import Form
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.report.tables import csv_rows, tables_of
from panoptic_heuristic.ablation.report.tuning import Tuning
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.tuning.thresholds import REFERENCE_PIXELS
from panoptic_heuristic.formats.csv_files import write_csv
from panoptic_heuristic.formats.files import write_text, written_whole
from panoptic_heuristic.fusion import Need
from panoptic_heuristic.quality import Resampled
from panoptic_heuristic.visual.names import names_note

_TO_EXPLORER = "Move the thresholds yourself, and watch segments come and go."


@dataclass(frozen=True)
class Images:
    """The files that pictures are made of.

    Attributes:
        store: predictions and ground truth of a sweep.
        image_root: the folder of the images; None to leave them out.
        pictures: how many images to draw.
    """

    store: RegionStore
    image_root: Optional[Path]
    pictures: int


@dataclass(frozen=True)
class Reported:
    """One sweep with all that the report shall say of it.

    Attributes:
        name: what the report calls it.
        result: the sweep.
        default: what its best setting is compared with; that of the tuning if there is one.
        images: None to compare no images.
        attribution: where errors come from; may be empty.
        tuning: gains on held-out images.
    """

    name: str
    result: SweepResult
    default: Default
    images: Optional[Images] = None
    attribution: Tuple[Block, ...] = ()
    tuning: Optional[Tuning] = None


Progress = Callable[[Iterable, int], Iterable]


def make_report(
    reported: Sequence[Reported],
    title: str,
    *,
    explorer: Optional[str] = None,
    workers: int = 1,
    progress: Progress = lambda items, total: items,
) -> Tuple[Document, List[ReportedSweep]]:
    """Works out and draws everything.

    Args:
        reported: at least one; several must be of one grid.
        title: of the report.
        explorer: path of a page of explore-fusion, relative to the report's folder, to lead there.
        workers: processes that trace errors.
        progress: wraps an iterable of images, given their number; tqdm fits.

    Returns:
        The report, and the sweeps for its CSV files.

    Raises:
        InputError: a file is missing or damaged, sweeps do not fit each other, or images do not fit their sweep.
    """
    sweeps = [ReportedSweep.of(one.name, one.result, one.default, _image_area(one)) for one in reported]
    several = len(sweeps) > 1
    blocks: List[Block] = [] if explorer is None else [Link(_TO_EXPLORER, explorer)]
    if several:
        check_same_grid(sweeps)
        for_all = setting_for_all(sweeps)
        more = [for_all, *(sweep.best for sweep in sweeps)]
        compared = Compared(sweeps, [sweep.resampled(more) for sweep in sweeps], for_all)
        blocks += models.models(compared, 2) + comparison.comparison(compared, 2)
        resampled, summary = compared.resampled, comparison.summary(compared)
    else:
        resampled = [sweeps[0].resampled()]
        summary = _summary(reported[0], sweeps[0], resampled[0])
    for one, sweep, draws in zip(reported, sweeps, resampled, strict=True):
        if several:
            blocks += [Heading(sweep.name), Text(_summary(one, sweep, draws))]
        blocks += _sweep_blocks(one, sweep, draws, 3 if several else 2, _Work(workers, progress))
    return Document(title, summary, tuple(blocks)), sweeps


def write_report(
    folder: Path, document: Document, sweeps: Sequence[ReportedSweep], forms: Collection[Form] = ()
) -> List[Path]:
    """Writes all files of a report, each whole or not at all; equal sweeps give equal bytes.

    Args:
        folder: where to.
        document: the report.
        sweeps: for the CSV files.
        forms: SVG and PDF if the figures shall be there as these, too.

    Returns:
        The files.
    """
    written = [folder / name for name in ("report.html", "report.md", "settings.csv", "classes.csv")]
    for path, text in zip(written, (to_html(document), to_markdown(document)), strict=False):
        write_text(path, text)
    write_settings(written[2], sweeps)
    write_classes(written[3], sweeps)
    for picture in document.pictures:
        written.append(folder / picture.name)
        _write(written[-1], picture.png)
        for form in sorted(set(forms) - {Form.PNG}, key=lambda form: form.value):
            for figure in picture.paper:
                written.append(folder / f"{figure.name}.{form.value}")
                _write(written[-1], figure.draw(form))
    for name, table in tables_of(document).items():
        written += [folder / "tables" / f"{name}{ending}" for ending in (".csv", ".tex")]
        write_csv(written[-2], csv_rows(table))
        write_text(written[-1], to_latex(table))
    return written


class _Work(NamedTuple):
    """How images are worked on: processes, and what wraps their iterable."""

    workers: int
    progress: Progress


def _summary(one: Reported, sweep: ReportedSweep, resampled: Optional[Resampled]) -> str:
    return sections.summary(sweep, resampled) if one.tuning is None else one.tuning.summary


def _image_area(one: Reported) -> float:
    """The pixels of an image that a limit of the default is for."""
    if one.images is None or one.default.meaning != MODELS_OWN:
        return REFERENCE_PIXELS
    return statistics.median(image.height * image.width for image in one.images.store.cache.manifest.images)


def _sweep_blocks(
    one: Reported, sweep: ReportedSweep, resampled: Optional[Resampled], level: int, work: _Work
) -> List[Block]:
    prefix = file_prefix(sweep.name)
    blocks: List[Block] = []
    if one.tuning is not None:
        blocks += [*one.tuning.opening, Heading("All settings of the grid", level)]
        blocks.append(Text(sections.summary(sweep, resampled)))
    blocks += sections.overview(sweep, resampled, has_tuning=one.tuning is not None)
    blocks += sections.best_settings(sweep, resampled, level)
    blocks += _at(() if one.tuning is None else one.tuning.blocks, level)
    blocks += figures.heat_maps(sweep, prefix, level)
    blocks += figures.curves(sweep, resampled, prefix, level)
    blocks += figures.things_against_stuff(sweep, prefix, level)
    blocks += effects.classes(sweep, resampled, level)
    if one.images is not None:
        blocks += _changes(one.images, sweep, prefix, level, work.progress)
        if one.tuning is not None and one.tuning.changes_something:
            blocks += _mended(one.images.store, one.tuning, level, work)
    blocks += _at(one.attribution, level)
    return blocks + sections.provenance(sweep, level)


def _changes(images: Images, sweep: ReportedSweep, prefix: str, level: int, progress: Progress) -> List[Block]:
    if sweep.best == sweep.default:
        return [
            Heading("Images that change most", level),
            Text("The default is the best setting, so no image changes."),
        ]
    settings, numbers = sweep.result.grid.settings, [sweep.default, sweep.best]
    pair = Pair(
        settings[sweep.default],
        settings[sweep.best],
        sweep.counts.of_settings(numbers),
    )
    found = find_changes(images.store, pair, progress=progress)
    pictures = []
    for place, change in enumerate(found[: images.pictures], start=1):
        png = draw_change(images.store, pair, change, images.image_root)
        alt = f"Image {change.image_id}: ground truth, default and best setting"
        pictures.append(Picture(f"{prefix}_change_{place}.png", png, alt, density=1))
    note = names_note(images.store.cache.manifest.categories) if pictures else ""
    return effects.changes(found, pictures, level) + ([Text(f"Note: {note}.")] if note else [])


def _mended(store: RegionStore, tuning: Tuning, level: int, work: _Work) -> List[Block]:
    if any(Need.IMAGE in one.needs for one in (tuning.default.pipeline, tuning.pipeline)):
        return [
            Heading(MENDED, level),
            Text("A rule looks at images, which a cache does not hold: errors of these settings are not traced."),
        ]
    before, after = (
        attribute(store, pipeline, workers=work.workers, progress=work.progress).errors
        for pipeline in (tuning.default.pipeline, tuning.pipeline)
    )
    return error_blocks(before, after, store.cache.manifest.categories, level)


def file_prefix(name: str) -> str:
    """A sweep's name as it begins the names of its files."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_.") or "sweep"


def _at(blocks: Sequence[Block], level: int) -> List[Block]:
    """Blocks whose headings, made for level 2, stand at another."""
    return [
        Heading(block.text, block.level + level - 2) if isinstance(block, Heading) else block for block in blocks
    ]


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
