import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Maps of a few pixels gain nothing from threads, and pay for starting them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
