"""The parts of a report that are about one sweep."""

from typing import Collection, List, Optional

from panoptic_heuristic.ablation.report.document import (
    Block,
    Fact,
    Facts,
    Heading,
    Notice,
    Row,
    Table,
    Text,
)
from panoptic_heuristic.ablation.report.sweep import GROUPS, SHOWN, ReportedSweep
from panoptic_heuristic.ablation.report.words import (
    between,
    claim_rules,
    count,
    describe,
    measure,
    other_rules,
    plural,
    setting_columns,
    signed,
    threshold,
)
from panoptic_heuristic.ablation.sweeping.columns import row_of
from panoptic_heuristic.formats.flattened import flattened
from panoptic_heuristic.quality import Resampled


def summary(sweep: ReportedSweep, resampled: Optional[Resampled]) -> str:
    """The result in a sentence."""
    grid = sweep.result.grid
    best = f"Best of {plural(len(grid), 'setting')}: PQ {measure(sweep.pq(sweep.best), 1)}"
    if sweep.best == sweep.default:
        return f"{best}, which the default has already ({describe(grid.row(sweep.best))})."
    bounds = None if resampled is None else resampled.difference(sweep.best, sweep.default)
    gain = " ".join(filter(None, (signed(sweep.gain(), 1), between(bounds, 1))))
    return (
        f"{best} with {describe(grid.row(sweep.best))}; default {measure(sweep.pq(sweep.default), 1)}, so {gain}"
        f"{' (95 % interval)' if bounds else ''}."
    )


def overview(sweep: ReportedSweep, resampled: Optional[Resampled], *, has_tuning: bool) -> List[Block]:
    """Best, default and gain, and what to mind about them.

    Args:
        sweep: the sweep.
        resampled: its settings resampled; None if there are too few images.
        has_tuning: the report has the gain on images that were not tuned on, too.
    """
    grid = sweep.result.grid
    bounds = None if resampled is None else resampled.difference(sweep.best, sweep.default)
    how_sure = f"95 % interval {between(bounds)}" if bounds else "no interval: too few images to draw from"
    facts = [
        Fact("PQ of the best setting", measure(sweep.pq(sweep.best)), describe(grid.row(sweep.best))),
        Fact("PQ of the default", measure(sweep.pq(sweep.default)), describe(grid.row(sweep.default))),
        Fact("Gain", signed(sweep.gain()), how_sure),
        Fact("Counted", count(len(grid)), f"settings on {plural(sweep.counts.images, 'image')}"),
    ]
    blocks: List[Block] = [Facts(tuple(facts))]
    if not has_tuning:
        blocks.append(Text(f"The default is {sweep.meant.pipeline.described()} ({sweep.meant.meaning})."))
    where = "the recommendation's gain is on images that were not tuned on"
    if not has_tuning:
        where = "tune-fusion gives held-out gains"
    if sweep.best != sweep.default:
        blocks.append(
            Notice(
                f"The best setting was chosen on the same {plural(sweep.counts.images, 'image')} that it is scored "
                f"on, so its gain is on the high side, and the interval does not know that; {where}."
            )
        )
    if not sweep.has_default:
        blocks.append(
            Text(
                f"The grid does not hold the default ({describe(row_of(sweep.wanted))}). "
                f"The setting nearest to it stands for it: {describe(grid.row(sweep.default))}."
            )
        )
    return blocks


def best_settings(sweep: ReportedSweep, resampled: Optional[Resampled], level: int) -> List[Block]:
    """The best settings and the default, in a table."""
    shown = sweep.order[:SHOWN].tolist()
    if sweep.default not in shown:
        shown.append(sweep.default)
    names, thresholds = setting_columns(sweep.result.grid, shown)
    groups = [group for group in GROUPS if sweep.occurs(group)]
    header = ("rank", *names, *("PQ" if group == "all" else f"PQ {group}" for group in groups))
    header += ("SQ", "RQ", "to the best", "95 % interval")
    rows = []
    for number, values in zip(shown, thresholds, strict=True):
        cells = [count(sweep.rank(number)), *values, *(measure(sweep.pq(number, group)) for group in groups)]
        cells += [measure(float(sweep.columns[name][number])) for name in ("sq_all", "rq_all")]
        if number == sweep.best:
            cells += ["", ""]
        else:
            bounds = None if resampled is None else resampled.difference(number, sweep.best)
            cells += [signed(sweep.pq(number) - sweep.pq(sweep.best)), between(bounds)]
        rows.append(Row(tuple(cells), _mark(sweep, number)))
    return [
        Heading("Best settings", level),
        Text(
            "A setting whose interval reaches 0 cannot be told from the best on these images. "
            "settings.csv has all settings."
        ),
        Table(header, tuple(rows), words=1 + (names[0] == "claim")),
    ]


def provenance(sweep: ReportedSweep, level: int) -> List[Block]:
    """The data set, the settings and the predictions that were swept."""
    manifest, grid = sweep.result.manifest, sweep.result.grid
    limits = [(pipeline.stuff_area_thresh, pipeline.stuff_area_fraction) for pipeline in grid.settings]
    swept = {
        "instances_score_thresh": {pipeline.instances_score_thresh for pipeline in grid.settings},
        "overlap_threshold": {pipeline.value("claim.overlap_threshold") for pipeline in grid.settings} - {None},
        "stuff_area_thresh": {pixels for pixels, fraction in limits if not fraction},
        "stuff_area_fraction": {fraction for _, fraction in limits if fraction},
    }
    facts = [
        ("data set", str(manifest["dataset_name"])),
        ("images", count(sweep.counts.images)),
        ("settings", count(len(grid))),
        ("claim", claim_rules(grid)),
        ("other rules", other_rules(grid)),
        *((name, _values(values)) for name, values in swept.items()),
        ("lowest score kept", threshold(manifest["floors"]["instances_score_thresh"])),
    ]
    made_from = tuple(Row((key, str(value))) for key, value in sorted(flattened(manifest["predictions"]).items()))
    return [
        Heading("What was swept", level),
        Text(
            "An instance below the lowest score kept never reached the sweep: the effective "
            "instances_score_thresh is the larger of the two."
        ),
        Table(("", "value"), tuple(Row(fact) for fact in facts if fact[1]), words=2),
        Table(("key", "value"), made_from, words=2, folded="What made the predictions"),
    ]


def _mark(sweep: ReportedSweep, number: int) -> str:
    return "best" if number == sweep.best else "default" if number == sweep.default else ""


def _values(values: Collection[float]) -> str:
    ordered = sorted(values)
    if len(ordered) <= 12:
        return ", ".join(map(threshold, ordered))
    return f"{len(ordered)} values from {threshold(ordered[0])} to {threshold(ordered[-1])}"
