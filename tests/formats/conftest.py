import pytest

from tests.formats.tiny_panoptic import write_tiny_panoptic


@pytest.fixture
def data(tmp_path):
    """A sound tiny data set with the splits train and val."""
    return write_tiny_panoptic(tmp_path)
