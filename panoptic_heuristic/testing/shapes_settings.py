"""The difficulty of the built-in data set, and its classes. Lengths are in pixels of a 128 x 160 picture."""

from dataclasses import dataclass

REFERENCE_AREA = 128 * 160

# ---- How hard the data set is. Each value is a choice; the comment says what it is there to do. ----

# Few enough that a small network learns them in minutes, enough that they overlap in most pictures.
THINGS_PER_IMAGE = (3, 7)
# Radius, log-uniform: most things are large enough to be learnt in minutes, the large end hides others.
THING_RADIUS = (11.0, 32.0)
# Share and radius of small things, at the limit of what a stride-4 feature map resolves: a detector gives them
# medium scores.
SMALL_THING_CHANCE = 0.08
SMALL_THING_RADIUS = (5.0, 8.0)
# Share of things put beside or over another thing. This is what makes the overlap threshold matter.
OVERLAP_CHANCE = 0.35
# A thing is drawn only if at least this many pixels, and this share of it, can be seen: a sliver cannot be
# recognised.
MIN_THING_PIXELS = 12
MIN_VISIBLE_SHARE = 0.5
# Noise on outlines, as a share of the radius. Without it masks are learnt too easily, and no real border is
# smooth.
THING_ROUGHNESS = 0.06
# Spread of a class's colours, and the chance that a thing wears another class's colours: shape must decide
# then.
COLOUR_JITTER = 0.05
FOREIGN_COLOUR_CHANCE = 0.03
# Faint shapes of things painted on stuff and labelled as that stuff: false positives with medium scores, the
# reason for a threshold on scores.
DISTRACTORS_PER_IMAGE = (0, 3)
DISTRACTOR_RADIUS = (4.0, 9.0)
DISTRACTOR_CONTRAST = (0.25, 0.60)
# Crowds: clusters of tiny things of one class under one segment. Training must ignore them, PQ must forgive
# them.
CROWD_CHANCE = 0.2
CROWD_MEMBERS = (10, 20)
CROWD_MEMBER_RADIUS = (2.6, 4.0)

# Small patches of stuff (area, log-uniform). COCO's usual stuff limit, 4096 of 640 x 480 pixels, is 273
# pixels here and deletes all of them: the reason why that limit has to be tuned.
SMALL_PATCHES_PER_IMAGE = (1, 3)
SMALL_PATCH_AREA = (100.0, 260.0)
# Large patches of the same classes, so that neither size nor class gives the other away.
LARGE_PATCH_CHANCE = 0.8
LARGE_PATCH_AREA = (500.0, 2600.0)
# Thin stuff: paths, streams and hedgerows. Sometimes they end inside the picture and stay below the limit,
# too.
RIBBON_CHANCE = 0.65
RIBBON_WIDTH = (6.0, 10.0)
RIBBON_SHORT_CHANCE = 0.4
# Less stuff than this that can be seen is left unlabelled, as an annotator would.
MIN_STUFF_PIXELS = 40

# Void. Nothing is wrong there, whatever is predicted; a metric that counts it fails on this data set.
VOID_BORDER_CHANCE = 0.15
VOID_BAND_CHANCE = 0.25
VOID_PATCH_CHANCE = 0.25
UNKNOWN_OBJECT_CHANCE = 0.35

# The photograph: uneven light, blur and noise keep plain colour from separating the classes.
LIGHT_FIELD = 0.12
LIGHT_GAIN = 0.06
BLUR_SIGMA = (0.3, 0.6)
IMAGE_NOISE = (0.008, 0.02)


@dataclass(frozen=True)
class Category:
    """One entry of the data set's categories; `color` is RGB in 0..255."""

    id: int
    name: str
    isthing: bool
    color: tuple[int, int, int]
    supercategory: str


# Ids have gaps, and things and stuff are mixed in id and in list order: code that takes a contiguous id, or a
# place in the list, for a category id cannot score well here.
CATEGORIES = (
    Category(9, "ball", True, (220, 60, 60), "toy"),
    Category(7, "sky", False, (120, 180, 235), "outdoor"),
    Category(1, "star", True, (240, 200, 40), "toy"),
    Category(3, "grass", False, (110, 180, 70), "ground"),
    Category(41, "sand", False, (225, 205, 150), "ground"),
    Category(27, "ring", True, (235, 120, 190), "toy"),
    Category(12, "water", False, (50, 110, 190), "ground"),
    Category(40, "crate", True, (150, 95, 45), "object"),
    Category(5, "cross", True, (130, 70, 200), "toy"),
    Category(2, "wall", False, (170, 100, 90), "outdoor"),
    Category(25, "path", False, (150, 145, 140), "ground"),
    Category(14, "cone", True, (255, 140, 20), "object"),
    Category(18, "rubble", False, (105, 105, 120), "ground"),
    Category(22, "moon", True, (40, 200, 190), "toy"),
    Category(33, "hedge", False, (30, 95, 50), "outdoor"),
    Category(30, "boulder", True, (95, 60, 60), "object"),
)
CATEGORY_ID = {category.name: category.id for category in CATEGORIES}
THINGS = tuple(category.name for category in CATEGORIES if category.isthing)
