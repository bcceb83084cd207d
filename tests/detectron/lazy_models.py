"""A small Panoptic FPN in LazyConfig's form, as Detectron2's zoo has larger ones since 0.6.

Import it after ``panoptic_heuristic.detectron``, which makes Detectron2 importable.
"""

from typing import Any

from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec
from detectron2.modeling import PanopticFPN
from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
from detectron2.modeling.backbone import FPN
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from detectron2.modeling.backbone.resnet import BasicStem, ResNet
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.matcher import Matcher
from detectron2.modeling.meta_arch.semantic_seg import SemSegFPNHead
from detectron2.modeling.poolers import ROIPooler
from detectron2.modeling.proposal_generator import RPN, StandardRPNHead
from detectron2.modeling.roi_heads import (
    FastRCNNConvFCHead,
    FastRCNNOutputLayers,
    MaskRCNNConvUpsampleHead,
    StandardROIHeads,
)

_LEVELS = {"p2": 4, "p3": 8, "p4": 16, "p5": 32}


def lazy_panoptic_fpn(*, things: int, labels: int, channels: int = 16) -> Any:
    """The call that makes a ``PanopticFPN``, to be changed and then instantiated."""
    return L(PanopticFPN)(
        backbone=L(FPN)(
            bottom_up=L(ResNet)(
                stem=L(BasicStem)(in_channels=3, out_channels=64, norm="FrozenBN"),
                stages=L(ResNet.make_default_stages)(depth=18, norm="FrozenBN"),
                out_features=["res2", "res3", "res4", "res5"],
            ),
            in_features="${.bottom_up.out_features}",
            out_channels=channels,
            top_block=L(LastLevelMaxPool)(),
        ),
        proposal_generator=L(RPN)(
            in_features=[*_LEVELS, "p6"],
            head=L(StandardRPNHead)(in_channels=channels, num_anchors=3),
            anchor_generator=L(DefaultAnchorGenerator)(
                sizes=[[32], [64], [128], [256], [512]], aspect_ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]
            ),
            anchor_matcher=L(Matcher)(thresholds=[0.3, 0.7], labels=[0, -1, 1]),
            box2box_transform=L(Box2BoxTransform)(weights=[1.0, 1.0, 1.0, 1.0]),
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_topk=(100, 100),
            post_nms_topk=(40, 40),
        ),
        roi_heads=L(StandardROIHeads)(
            num_classes=things,
            batch_size_per_image=64,
            positive_fraction=0.25,
            proposal_matcher=L(Matcher)(thresholds=[0.5], labels=[0, 1]),
            box_in_features=list(_LEVELS),
            box_pooler=_pooler(7),
            box_head=L(FastRCNNConvFCHead)(input_shape=_shape(channels, 7), conv_dims=[], fc_dims=[channels]),
            box_predictor=L(FastRCNNOutputLayers)(
                input_shape=L(ShapeSpec)(channels=channels),
                box2box_transform=L(Box2BoxTransform)(weights=(10, 10, 5, 5)),
                num_classes="${..num_classes}",
            ),
            mask_in_features=list(_LEVELS),
            mask_pooler=_pooler(14),
            mask_head=L(MaskRCNNConvUpsampleHead)(
                input_shape=_shape(channels, 14), num_classes="${..num_classes}", conv_dims=[channels, channels]
            ),
        ),
        sem_seg_head=L(SemSegFPNHead)(
            input_shape={
                level: L(ShapeSpec)(channels=channels, stride=stride) for level, stride in _LEVELS.items()
            },
            ignore_value=255,
            num_classes=labels,
            conv_dims=channels,
            common_stride=4,
        ),
        pixel_mean=[103.53, 116.28, 123.675],
        pixel_std=[1.0, 1.0, 1.0],
        input_format="BGR",
    )


def _pooler(size: int) -> Any:
    scales = tuple(1 / stride for stride in _LEVELS.values())
    return L(ROIPooler)(output_size=size, scales=scales, sampling_ratio=0, pooler_type="ROIAlignV2")


def _shape(channels: int, size: int) -> Any:
    return L(ShapeSpec)(channels=channels, height=size, width=size)
