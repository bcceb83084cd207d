"""The parts of a report that show ``tuning.json`` of tune-fusion: what to take, and gains on held-out images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.report.calibration import calibration_blocks
from panoptic_heuristic.ablation.report.document import Block, Code, Fact, Facts, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.tuning_form import check_tuning
from panoptic_heuristic.ablation.report.words import between, measure, plural, signed
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.tuning.files import FORMAT, TUNED, config_yaml
from panoptic_heuristic.ablation.tuning.settings import BASELINES, TUNED_PIPELINES
from panoptic_heuristic.ablation.tuning.usage import changed_keys, evaluating_command
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, read_json
from panoptic_heuristic.fusion import Pipeline

# The file has its keys in the order of the alphabet.
_STAGES = (*BASELINES, *TUNED_PIPELINES)
_LONG_YAML = 30


@dataclass(frozen=True)
class Tuning:
    """A tuning as a report shows it.

    Attributes:
        default: what its gains are over.
        chosen: the name of the settings that it recommends.
        pipeline: these settings, as tuned in the end.
        summary: the recommendation in a sentence.
        opening: how sure it is, and how it is put to use.
        blocks: the rest.
    """

    default: Default
    chosen: str
    pipeline: Pipeline
    summary: str
    opening: Tuple[Block, ...]
    blocks: Tuple[Block, ...]

    @property
    def changes_something(self) -> bool:
        """True if other settings than the default are recommended."""
        return self.pipeline != self.default.pipeline


def read_tuning(path: PathLike, sweep: SweepResult) -> Tuning:
    """Reads the outcome of tuning on the predictions of a sweep.

    Raises:
        InputError: the file is missing, something else, or of other predictions.
    """
    data = read_json(path)
    found = data.get("format") if isinstance(data, Mapping) else None
    if found != FORMAT:
        raise InputError(f"{path} is no tuning of format {FORMAT} (it says {found!r}); make it anew")
    check_tuning(data, sweep.categories, str(path))
    ours, *theirs = ((one["dataset_name"], one["predictions"]) for one in (sweep.manifest, *data["caches"]))
    if ours not in theirs:
        raise InputError(f"{path} is of other predictions than {sweep.folder}; make both from one cache")
    return _tuning(data, Path(path).parent / TUNED, sweep.categories)


def _tuning(data: Mapping[str, Any], config: Path, categories: Categories) -> Tuning:
    default = Default(Pipeline.from_mapping(data["baselines"]["default"]), data["default"]["meaning"])
    pipelines = {**data["outcome"]["pipelines"], **data["baselines"]}
    pipeline = Pipeline.from_mapping(pipelines[data["chosen"]])
    of_default = f"The default is {default.pipeline.described()} ({default.meaning})."
    opening: List[Block] = [_facts(data), Text(f"{_why(data)} {of_default}")]
    if pipeline != default.pipeline:
        opening += _usage(data, default.pipeline, pipeline, config, categories)
    blocks = (*_blocks(data, pipeline), *calibration_blocks(data, categories))
    return Tuning(default, data["chosen"], pipeline, _summary(data), tuple(opening), blocks)


def _summary(data: Mapping[str, Any]) -> str:
    chosen, of_default = data["chosen"], data["held_out"]["default"]
    if chosen == "default":
        return "Recommended: the default, as it is. Nothing is surely better on held-out images."
    gain = _gain(data["held_out"][chosen], "default")
    return (
        f"Recommended: {chosen}, {_told(gain)} PQ over the default (95 % interval) on held-out images: "
        f"{measure(data['held_out'][chosen]['pq'])} instead of {measure(of_default['pq'])}."
    )


def _facts(data: Mapping[str, Any]) -> Facts:
    chosen, of_default = data["held_out"][data["chosen"]], data["held_out"]["default"]
    images = plural(sum(len(split["held_out"]) for split in data["splits"]), "held-out image")
    facts = [Fact("Held-out PQ of the default", measure(of_default["pq"]), f"on {images}")]
    if data["chosen"] != "default":
        gain = _gain(chosen, "default")
        facts.insert(0, Fact("Held-out PQ, recommended", measure(chosen["pq"]), data["chosen"]))
        facts.append(Fact("Gain", signed(gain["held_out"]), f"95 % interval {between(_bounds(gain))}"))
    return Facts(tuple(facts))


def _why(data: Mapping[str, Any]) -> str:
    if data["chosen"] == "default":
        return "No gain on held-out images has an interval above 0."
    to_best = data["held_out"][data["chosen"]]["to_best"]
    best = "it, the best" if to_best is None else f"the best, {to_best['against']} ({_told(to_best)})"
    return (
        "On held-out images it is surely better than the default; what is simpler is not, or is more than a standard "
        f"error below {best}."
    )


def _usage(
    data: Mapping[str, Any], default: Pipeline, pipeline: Pipeline, config: Path, categories: Categories
) -> List[Block]:
    """The keys that change, the command, and the YAML."""
    rows = [
        Row((one.key, *("\N{EN DASH}" if value is None else value for value in (one.before, one.after))))
        for one in changed_keys(default, pipeline, categories)
    ]
    blocks: List[Block] = [Table(("config key", "default", "recommended"), tuple(rows))]
    command = evaluating_command(
        config, pipeline, has_base=data["base"] is not None, predictions=data["caches"][0]["predictions"]
    )
    if command is None:
        blocks.append(Text(f"{config} builds on no config (--base of tune-fusion); put its keys into the model's:"))
    else:
        blocks += [Text(f"To use it, with {config} or with the same keys in the model's config:"), Code(command)]
    text = config_yaml(pipeline, categories)
    is_long = len(text.splitlines()) > _LONG_YAML
    return [*blocks, Code(text, "All keys, as YAML" if is_long else None)]


def _blocks(data: Mapping[str, Any], pipeline: Pipeline) -> List[Block]:
    held_out, chosen = data["held_out"], data["chosen"]
    names = [name for name in _STAGES if name in held_out] + sorted(held_out.keys() - set(_STAGES))
    untuned = [name for name in names if name in data["baselines"]]
    rows = []
    for name in names:
        one = held_out[name]
        before = next((gain for gain in one["gains"] if gain["against"] not in untuned), None)
        scaled = _gain(one, "scaled")
        cells = [name, *(measure(one[key]) for key in ("pq", "pq_things", "pq_stuff"))]
        cells += [_told(gain) for gain in (*(_gain(one, other) for other in untuned), before, one["to_best"])]
        cells += ["", ""] if scaled is None else [signed(scaled["tuning"]), signed(scaled["overfit"])]
        rows.append(Row(tuple(cells), "recommended" if name == chosen else ""))
    header = ("settings", "PQ", "PQ things", "PQ stuff", *(f"over {name}" for name in untuned))
    header += ("over the stage before", "to the best", "when tuned", "overfit")
    start = "Start is what the search started from. " if "start" in untuned else ""
    of_what = "the start" if start else "the default"
    return [
        Heading("Held-out gains"),
        Text(f"{_parted(data['how'])} Gains have 95 % intervals over the held-out {_units(data['how'])}."),
        Table(
            header,
            tuple(rows),
            caption=f"{start}Scaled is {of_what} with its area limits scaled to the images. When tuned: the gain over "
            "scaled on the images that were tuned on. Overfit: how much of that is lost on others.",
        ),
        Text(f"The recommended settings, {chosen}, are in the end: {pipeline.described()}. Their file is {TUNED}."),
    ]


def _parted(how: Mapping[str, Any]) -> str:
    whole = f" No group of images, of {how['groups']}, was parted." if "groups" in how else ""
    if "folds" in how:
        return f"Each of {how['folds']} folds of the images was scored with what was tuned on the others.{whole}"
    return f"Tuned on {plural(how['tuning_images'], 'image')} and scored on the others.{whole}"


def _units(how: Mapping[str, Any]) -> str:
    return "groups" if "groups" in how else "images"


def _gain(one: Mapping[str, Any], against: str) -> Optional[Mapping[str, Any]]:
    return next((gain for gain in one["gains"] if gain["against"] == against), None)


def _bounds(gain: Mapping[str, Any]) -> Optional[Tuple[float, float]]:
    return None if gain["interval"] is None else tuple(gain["interval"])


def _told(gain: Optional[Mapping[str, Any]]) -> str:
    return "" if gain is None else f"{signed(gain['held_out'])} {between(_bounds(gain))}".rstrip()
