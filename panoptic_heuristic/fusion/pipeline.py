"""Which rules fuse, and with which thresholds."""

from dataclasses import dataclass, field
from typing import Mapping

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.claim import ClaimRule
from panoptic_heuristic.fusion.greedy import Greedy
from panoptic_heuristic.fusion.order import ByScore, OrderRule
from panoptic_heuristic.fusion.parameters import check_categories, check_number, numbers_of_categories
from panoptic_heuristic.fusion.suppress import NoSuppression, SuppressRule


@dataclass(frozen=True)
class Pipeline:
    """The rules and thresholds of fusing. The default is Detectron2's.

    Attributes:
        claim: who gets a contested pixel.
        instances_score_thresh: an instance is kept if its score >= it; compared in float64.
        stuff_area_thresh: a stuff segment is dropped if its free area in pixels < it; >= 0.
        stuff_area_fraction: a stuff segment is also dropped if its free area < it times the pixels
            of the image; compared in float64; in [0, 1].
        order: in which order instances claim; it may drop some.
        suppress: what is dropped, or taken off masks, before that.
        instances_score_thresh_of: for single things, in place of ``instances_score_thresh``; keys
            are dataset category ids, here and below.
        stuff_area_thresh_of: for single stuff, in place of ``stuff_area_thresh``.
        stuff_area_fraction_of: for single stuff, in place of ``stuff_area_fraction``.

    Raises:
        InputError: a value is out of its interval.
    """

    claim: ClaimRule = field(default_factory=Greedy)
    instances_score_thresh: float = 0.5
    stuff_area_thresh: float = 4096
    stuff_area_fraction: float = 0.0
    order: OrderRule = field(default_factory=ByScore)
    suppress: SuppressRule = field(default_factory=NoSuppression)
    instances_score_thresh_of: Mapping[int, float] = field(default_factory=dict)
    stuff_area_thresh_of: Mapping[int, float] = field(default_factory=dict)
    stuff_area_fraction_of: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        if not callable(getattr(self.claim, "claim", None)):
            raise InputError(f"claim must be a claim rule such as Greedy(), got {self.claim!r}")
        if not callable(getattr(self.order, "order", None)):
            raise InputError(f"order must be an order rule such as ByScore(), got {self.order!r}")
        if not callable(getattr(self.suppress, "suppress", None)):
            raise InputError(f"suppress must be a suppress rule such as Nms(), got {self.suppress!r}")
        self._check("instances_score_thresh", isthing=True)
        self._check("stuff_area_thresh", 0, isthing=False)
        self._check("stuff_area_fraction", 0, 1, isthing=False)

    def _check(self, name: str, *interval: float, isthing: bool) -> None:
        check_number(name, getattr(self, name), *interval)
        values = numbers_of_categories(f"{name}_of", getattr(self, f"{name}_of"), *interval, isthing=isthing)
        object.__setattr__(self, f"{name}_of", values)

    def check_categories(self, categories: Categories) -> None:
        """Raises if a value is for a category that is unknown, or for stuff where a thing is meant.

        Raises:
            InputError: names the parameter and the category.
        """
        for rule in (self, self.claim, self.order, self.suppress):
            check_categories(rule, categories)

    def score_cutoff(self, category_id: int) -> float:
        """The score that an instance of a category needs."""
        return self.instances_score_thresh_of.get(category_id, self.instances_score_thresh)

    def is_too_small(self, category_id: int, area: int, image_area: int) -> bool:
        """Whether a stuff segment is dropped for its size.

        Args:
            category_id: of stuff.
            area: its free pixels.
            image_area: the pixels of the image, H * W.
        """
        fraction = self.stuff_area_fraction_of.get(category_id, self.stuff_area_fraction)
        return area < self.stuff_area_thresh_of.get(category_id, self.stuff_area_thresh) or area < fraction * image_area


DEFAULT_PIPELINE = Pipeline()
"""Detectron2's rule and thresholds."""
