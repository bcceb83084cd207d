"""Checkpoints that are there whole or not at all, whenever a training is killed; Detectron2 writes them in place."""

import contextlib
from typing import IO, Any, Iterator

from detectron2.checkpoint import DetectionCheckpointer

from panoptic_heuristic.formats.files import NotWrittenError, written_whole


def write_whole(checkpointer: DetectionCheckpointer) -> None:
    """Makes a checkpointer write its files aside and rename them, the note of the last checkpoint included."""
    checkpointer.path_manager = _WritingWhole(checkpointer.path_manager)


class _WritingWhole:
    """A path manager whose files appear when they are complete."""

    def __init__(self, path_manager: Any):
        self._path_manager = path_manager

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path_manager, name)

    @contextlib.contextmanager
    def open(self, path: str, mode: str = "r", **options: Any) -> Iterator[IO]:
        """Opens a file as a path manager does.

        Raises:
            NotWrittenError: the system refuses to write it.
        """
        if "w" not in mode:
            with self._path_manager.open(path, mode, **options) as file:
                yield file
            return
        try:
            with written_whole(path) as temporary, open(temporary, mode, **options) as file:
                yield file
        except RuntimeError as error:
            # PyTorch's words for what the system refuses.
            raise NotWrittenError(f"cannot write to {path}; is the disk full? PyTorch says: {error}") from error
