"""``torch.hub``: a checkout gives the networks that come with kinefract."""

import runpy
import subprocess
import sys
from pathlib import Path

from kinefract import released

ROOT = Path(__file__).parents[1]


def test_each_network_that_comes_with_it_has_an_entry():
    # As ``torch.hub.list`` does it, which takes no folder.
    found = runpy.run_path(str(ROOT / "hubconf.py"))
    entries = [name for name, value in found.items() if callable(value) and not name.startswith("_")]
    assert entries == [name.replace("-", "_") for name in released.names()]


def test_a_checkout_that_is_not_installed_gives_the_network(tmp_path):
    program = (
        "import sys, torch\n"
        "sys.path = [p for p in sys.path if not p.endswith('/src')]\n"
        f"network = torch.hub.load({str(ROOT)!r}, 'fractal_tsm_resnet18', source='local', classes=7)\n"
        "print(tuple(network(torch.zeros(2, 8, 3, 64, 64)).shape), network.training)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "(2, 7) False\n", done.stderr
