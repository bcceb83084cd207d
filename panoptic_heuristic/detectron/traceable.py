"""The network of a Panoptic FPN in a form that ``torch.jit.trace`` takes: tensors in, tensors out."""

import contextlib
from typing import Iterator, Tuple

from detectron2.modeling import PanopticFPN
from detectron2.modeling.roi_heads import fast_rcnn, mask_head
from torch import Tensor, nn


class TraceableNetwork(nn.Module):
    """What both heads of a Panoptic FPN say of one image, without post-processing.

    Detectron2's ``TracingAdapter`` does the same for any model; its 0.5 cannot import it without Caffe2.
    """

    def __init__(self, model: PanopticFPN):
        """
        Args:
            model: is put into evaluation mode.
        """
        super().__init__()
        self.model = model.eval()

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Runs the network.

        Args:
            image: (3, h, w) of any number type, in [0, 255], channels in the order of ``INPUT.FORMAT``.

        Returns:
            Boxes (N, 4) x0, y0, x1, y1 in pixels of the image; scores (N,); contiguous classes (N,); RoI mask
            probabilities (N, M, M); and semantic logits (C, h', w'), h' >= h and w' >= w by padding.
        """
        with _traceable_lengths():
            [found], [logits] = self.model.inference([{"image": image}], do_postprocess=False)
        return found.pred_boxes.tensor, found.scores, found.pred_classes, found.pred_masks[:, 0], logits


@contextlib.contextmanager
def _traceable_lengths() -> Iterator[None]:
    """Lets the heads of Detectron2 count instances in a way that a trace records.

    ``len`` gives an integer, which would hold for every image; the method behind it gives what PyTorch traces.
    """
    modules = (fast_rcnn, mask_head)
    for module in modules:
        vars(module)["len"] = lambda values: values.__len__()
    try:
        yield
    finally:
        for module in modules:
            del vars(module)["len"]
