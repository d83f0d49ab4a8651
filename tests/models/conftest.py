"""Networks this small are faster on one thread, the more so where other work has the rest."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Run torch on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
