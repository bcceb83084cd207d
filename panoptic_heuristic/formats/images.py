"""Opening images of any format that Pillow knows, without trust in what they say of themselves."""

import contextlib
import warnings
from typing import Iterator

from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, open_regular
from panoptic_heuristic.formats.png import MAX_PIXELS


class ImageFileError(InputError):
    """A file is missing, no image, damaged, or an image of too many pixels."""


@contextlib.contextmanager
def opened_image(path: PathLike) -> Iterator[Image.Image]:
    """Opens an image; its pixels are decoded in the block, if at all, and nothing else should be done there.

    Raises:
        ImageFileError: the file is missing or unreadable, a folder, a pipe or a device; it is no image, or one of more
            than :data:`panoptic_heuristic.formats.png.MAX_PIXELS`; or the block cannot decode it.
    """
    try:
        with open_regular(path) as file, _without_warnings(), Image.open(file) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageFileError(f"{path} is {width}x{height} pixels; at most {MAX_PIXELS} pixels are decoded")
            yield image
    except InputError:
        raise
    except FileNotFoundError as error:
        raise ImageFileError(f"{path} is missing") from error
    except Image.DecompressionBombError as error:
        raise ImageFileError(f"{path} has too many pixels; at most {MAX_PIXELS} pixels are decoded") from error
    # Pillow's decoders end in a dozen kinds of exceptions on damaged files, and all mean the same here.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageFileError(f"{path} cannot be read as an image: {reason}") from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of images that are large, or odd in a way that it can read; to a user, neither is of use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
