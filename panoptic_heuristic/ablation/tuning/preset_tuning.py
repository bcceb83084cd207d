"""Tuning many pipelines at once: each image is read once per round, and measured by all that want it."""

from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

from panoptic_heuristic.ablation.tuning.preset_ascent import Ascent
from panoptic_heuristic.ablation.tuning.preset_measure import Measured
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import PQCounts, add_into, summarize

Measure = Callable[[Sequence[Tuple[int, Sequence[Pipeline]]]], Iterable[List[Measured]]]
"""What :func:`.preset_measure.measure_image` gives for each of some jobs, in order."""


class Tuning:
    """The search for thresholds of some pipelines, of each on several parts of the images.

    Args:
        presets: pipelines by name.
        parts: for each part the ids of the images to tune on.
        categories: the data set's.
        score_floor: see :class:`Ascent`.
        image_area: likewise.

    Attributes:
        failed: why a pipeline could not fuse, by name.
    """

    def __init__(
        self,
        presets: Mapping[str, Pipeline],
        parts: Sequence[Sequence[int]],
        categories: Categories,
        *,
        score_floor: float,
        image_area: float,
    ):
        self.failed: Dict[str, str] = {}
        self._parts, self._categories = parts, categories
        self._ascents = {
            (name, part): Ascent(pipeline, score_floor=score_floor, image_area=image_area)
            for name, pipeline in presets.items()
            for part in range(len(parts))
        }

    @property
    def total(self) -> int:
        """How often :meth:`run` yields at most."""
        rounds = max((ascent.rounds for ascent in self._ascents.values()), default=0)
        return rounds * sum(map(len, self._parts))

    def best(self, name: str, part: int) -> Pipeline:
        """A pipeline with the thresholds found on a part."""
        return self._ascents[name, part].best

    def run(self, measure: Measure) -> Iterator[None]:
        """Measures, round by round; yields after each image."""
        while active := self._active():
            wanted = [
                tuple(dict.fromkeys(one for key, ascent in active.items() if key[1] == part for one in ascent.wanted))
                for part in range(len(self._parts))
            ]
            places = [(part, image_id) for part, image_ids in enumerate(self._parts) for image_id in image_ids]
            places = [(part, image_id) for part, image_id in places if wanted[part]]
            jobs = [(image_id, wanted[part]) for part, image_id in places]
            totals: List[Dict[Pipeline, PQCounts]] = [{one: {} for one in pipelines} for pipelines in wanted]
            errors: List[Dict[Pipeline, str]] = [{} for _ in wanted]
            for (part, _), measured in zip(places, measure(jobs), strict=True):
                for pipeline, one in zip(wanted[part], measured, strict=True):
                    add_into(totals[part][pipeline], one.counts)
                    if one.error is not None:
                        errors[part].setdefault(pipeline, one.error)
                yield
            for (name, part), ascent in active.items():
                error = next((errors[part][one] for one in ascent.wanted if one in errors[part]), None)
                if error is not None:
                    self.failed.setdefault(name, error)
                ascent.tell({one: self._pq(totals[part][one]) for one in ascent.wanted})

    def _active(self) -> Dict[Tuple[str, int], Ascent]:
        return {
            key: ascent for key, ascent in self._ascents.items() if not ascent.is_done and key[0] not in self.failed
        }

    def _pq(self, counts: PQCounts) -> float:
        quality = summarize(counts, self._categories).all
        return 0.0 if quality is None else quality.pq
