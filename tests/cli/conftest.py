import pytest

from tests.cli.converting import segments_of
from tests.cli.evaluation_files import ScoredFiles
from tests.cli.small_training import SMALL_MODEL, Trained, run_command
from tests.formats.tiny_panoptic import TinyPanoptic, write_tiny_panoptic


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    """Some steps of training of a tiny model on four images of the built-in data set."""
    folder = tmp_path_factory.mktemp("trained")
    data, run = folder / "shapes", folder / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PANOPTIC_HEURISTIC_CACHE", str(folder / "cache"))
        made = run_command("datasets/generate_shapes.py", ["--output", str(data), "--train", "4", "--val", "3"])
        assert made.returncode == 0, made.stderr
        overrides = ["DATASETS.PANOPTIC_YAML", str(data / "shapes.yaml"), "OUTPUT_DIR", str(run)]
        done = run_command("tools/train_net.py", ["--config-file", str(SMALL_MODEL), *overrides])
        assert done.returncode == 0, done.stderr
    return Trained(run, data)


@pytest.fixture
def data(tmp_path) -> TinyPanoptic:
    """A sound tiny data set with the split val, in a folder of its own."""
    (tmp_path / "tiny").mkdir()
    return write_tiny_panoptic(tmp_path / "tiny", splits=("val",))


@pytest.fixture
def segments_before(data):
    """The segments of the tiny data set before anything is converted: going there and back keeps them."""
    return segments_of(data.json("val"), data.root / "panoptic_val")


@pytest.fixture
def scored(tmp_path) -> ScoredFiles:
    """Files that evaluate-pq scores."""
    return ScoredFiles(tmp_path)
