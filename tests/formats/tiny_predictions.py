"""Predictions for the tiny data set, in COCO's panoptic result format, for any test that needs files.

    data = write_tiny_panoptic(tmp_path, splits=("val",))
    predictions = write_predictions(data)                # tmp_path/pred.json and tmp_path/pred/*.png
    with predictions.edit() as content:                  # damages them
        content["annotations"][0]["segments_info"][0]["category_id"] = 999

The ids differ from the ground truth's. What each drawing is about is said beside it.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence

import numpy as np

from tests.formats.tiny_panoptic import TinyPanoptic, draw, segments_info, write_png

# One per drawing of the ground truth, in the same letters.
PREDICTED = (
    # "c" has lost most of it and no longer matches, "d" is missed, and a cat and a dog lie on the crowd of dogs.
    """
    ssssssssss
    sscsssssss
    sscsssssCC
    ssssssssCC
    gggggsssdd
    gggggsssdd
    gggggggggg
    gggggggggg
    """,
    # All as in the ground truth, but for grass on void.
    """
    ssssssssss
    ssssssssss
    sccccsssss
    sccccssdds
    sccccssdds
    gggggggggg
    gggggggggg
    gggggggggg
    """,
    # The dog is a cat, and half of the grass is void.
    """
    gggggggggg
    gggggggggg
    ggcccccggg
    ggcccccggg
    ggcccccggg
    ggcccccggg
    ..........
    ..........
    """,
)
# No id becomes 0 or another one.
_OTHER_BITS = 3


@dataclass(frozen=True)
class TinyPredictions:
    """The places of the files of predictions."""

    json: Path
    folder: Path

    def png(self, place: int) -> Path:
        """The PNG of the ``place``-th image (from 0)."""
        return self.folder / f"{place:04d}.png"

    @contextlib.contextmanager
    def edit(self) -> Iterator[Dict[str, Any]]:
        """Gives the content of the JSON and writes what the block made of it."""
        content = json.loads(self.json.read_text())
        yield content
        self.json.write_text(json.dumps(content))


def write_predictions(
    data: TinyPanoptic, split: str = "val", drawings: Sequence[str] = PREDICTED
) -> TinyPredictions:
    """Writes predictions for a split's images, in their order."""
    predictions = TinyPredictions(data.root / "pred.json", data.root / "pred")
    predictions.folder.mkdir()
    annotations = []
    for place, (image, drawing) in enumerate(zip(data.read(split)["images"], drawings, strict=True)):
        ids = draw(drawing)
        write_png(predictions.png(place), np.where(ids > 0, ids ^ _OTHER_BITS, 0))
        segments = [
            {"id": segment["id"] ^ _OTHER_BITS, "category_id": segment["category_id"]}
            for segment in segments_info(drawing)
        ]
        annotations.append(
            {"image_id": image["id"], "file_name": predictions.png(place).name, "segments_info": segments}
        )
    predictions.json.write_text(json.dumps({"annotations": annotations}))
    return predictions
