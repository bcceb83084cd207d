"""The log of a command in its output folder: made when nothing is wrong any more, and no reason to fail by itself."""

import contextlib
import logging
import os
import sys
from logging.handlers import MemoryHandler
from typing import Iterator

from detectron2.utils.logger import setup_logger

from panoptic_heuristic.formats.files import writing_to

_NAME = "panoptic_heuristic"


@contextlib.contextmanager
def logged_later() -> Iterator[None]:
    """Keeps what is logged in the block, and logs it after it; lets it go if the block fails.

    At the end of the block :func:`start_log` is to be called.
    """
    logger = logging.getLogger(_NAME)
    kept = MemoryHandler(sys.maxsize, flushLevel=sys.maxsize, flushOnClose=False)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    except BaseException:
        logger.setLevel(level)
        logger.propagate = propagate
        raise
    finally:
        logger.removeHandler(kept)
    for record in kept.buffer:
        logger.handle(record)


def start_log(folder: str, rank: int) -> None:
    """Logs to the terminal and to ``log.txt`` in a folder, which is made.

    Args:
        folder: of the output.
        rank: of this process; only that of rank 0 logs to the terminal.

    Raises:
        NotWrittenError: the system refuses.
    """
    with writing_to(folder):
        os.makedirs(folder, exist_ok=True)
        setup_logger(folder, distributed_rank=rank, name=_NAME)
    # Where the disk is full, what else is to be written there says so, in one sentence.
    logging.raiseExceptions = False


def drop_full_logs() -> None:
    """Closes the logs that cannot be written to, lest Python complains of each of them at its end."""
    for name in (_NAME, "detectron2", "fvcore"):
        for handler in logging.getLogger(name).handlers:
            stream = getattr(handler, "stream", None)
            # Several handlers share a file.
            if stream is None or stream.closed:
                continue
            try:
                stream.flush()
            except OSError:
                with contextlib.suppress(OSError):
                    stream.close()
