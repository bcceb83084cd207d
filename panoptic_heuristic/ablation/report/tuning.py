"""The part of a report that shows ``tuning.json`` of tune-fusion: gains on images that were not tuned on."""

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from panoptic_heuristic.ablation.report.document import Block, Fact, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.words import between, measure, plural, signed
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.tuning.files import FORMAT
from panoptic_heuristic.ablation.tuning.settings import BASELINES, TUNED_PIPELINES
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_json
from panoptic_heuristic.fusion import Pipeline

# The file has its keys in the order of the alphabet.
_STAGES = (*BASELINES, *TUNED_PIPELINES)


@dataclass(frozen=True)
class Tuning:
    """A tuning as a report shows it.

    Attributes:
        fact: the held-out gain of the pipeline that was chosen.
        blocks: the rest.
    """

    fact: Fact
    blocks: Tuple[Block, ...]


def read_tuning(path: PathLike, sweep: SweepResult) -> Tuning:
    """Reads the outcome of tuning on the predictions of a sweep.

    Raises:
        InputError: the file is missing, something else, or of other predictions.
    """
    data = read_json(path)
    found = data.get("format") if isinstance(data, Mapping) else None
    if found != FORMAT:
        raise InputError(f"{path} is no tuning of format {FORMAT} (it says {found!r}); make it anew")
    try:
        ours, theirs = ((one["dataset_name"], one["predictions"]) for one in (sweep.manifest, data))
        if ours != theirs:
            raise InputError(f"{path} is of other predictions than {sweep.folder}; make both from one cache")
        return Tuning(_fact(data), tuple(_blocks(data)))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no tuning of tune-fusion: it lacks {error}") from error


def _fact(data: Mapping[str, Any]) -> Fact:
    chosen = data["chosen"]
    gain = _gain(data["held_out"][chosen], "scaled")
    if gain is None:
        return Fact("Held-out gain", "none", f"no tuned stage is better than {chosen} on held-out images")
    note = " ".join(filter(None, (f"{chosen} over scaled,", between(_bounds(gain))))).rstrip(",")
    return Fact("Held-out gain", signed(gain["held_out"]), note)


def _blocks(data: Mapping[str, Any]) -> List[Block]:
    held_out, chosen = data["held_out"], data["chosen"]
    names = [name for name in _STAGES if name in held_out] + sorted(held_out.keys() - set(_STAGES))
    rows = []
    for name in names:
        one = held_out[name]
        before = next((gain for gain in one["gains"] if gain["against"] not in BASELINES), None)
        scaled = _gain(one, "scaled")
        cells = [name, *(measure(one[key]) for key in ("pq", "pq_things", "pq_stuff"))]
        cells += [_told(gain) for gain in (_gain(one, "default"), scaled, before)]
        cells += ["", ""] if scaled is None else [signed(scaled["tuning"]), signed(scaled["overfit"])]
        rows.append(Row(tuple(cells), "best" if name == chosen else ""))
    header = ("stage", "PQ", "PQ things", "PQ stuff", "over default", "over scaled", "over the stage before")
    return [
        Heading("Held-out gains"),
        Text(f"{_parted(data['how'])} Gains have 95 % intervals over the held-out images."),
        Table(
            (*header, "when tuned", "overfit"),
            tuple(rows),
            caption="Scaled is the default with its area limits scaled to the images. When tuned: the gain over "
            "scaled on the images that were tuned on. Overfit: how much of that is lost on others.",
        ),
        Text(_values(data)),
    ]


def _parted(how: Mapping[str, Any]) -> str:
    if "folds" in how:
        return f"Each of {how['folds']} folds of the images was scored with what was tuned on the others."
    return f"Tuned on {plural(how['tuning_images'], 'image')} and scored on the others."


def _values(data: Mapping[str, Any]) -> str:
    chosen = data["chosen"]
    pipelines = data["baselines"] if chosen in BASELINES else data["outcome"]["pipelines"]
    told = Pipeline.from_mapping(pipelines[chosen]).described()
    return f"The best on held-out images, {chosen}, is in the end: {told}. Its config file is tuned.yaml."


def _gain(one: Mapping[str, Any], against: str) -> Optional[Mapping[str, Any]]:
    return next((gain for gain in one["gains"] if gain["against"] == against), None)


def _bounds(gain: Mapping[str, Any]) -> Optional[Tuple[float, float]]:
    return None if gain["interval"] is None else tuple(gain["interval"])


def _told(gain: Optional[Mapping[str, Any]]) -> str:
    return "" if gain is None else f"{signed(gain['held_out'])} {between(_bounds(gain))}".rstrip()
