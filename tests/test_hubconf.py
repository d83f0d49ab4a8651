"""``torch.hub``: a checkout gives the networks that come with kinefract."""

import ast
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
        "print(tuple(network(torch.zeros(2, 8, 3, 64, 64)).shape), network.training)\n"
        "print(*[m.__file__ for name, m in sys.modules.items() if name.startswith('kinefract')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    said, files = done.stdout.splitlines()
    assert said == "(2, 7) False", done.stderr
    # torch.hub asks for the packages that are named there, and nothing installs others.
    wanted = {package for file in files.split() for package in imported(Path(file))}
    named = runpy.run_path(str(ROOT / "hubconf.py"))["dependencies"]
    assert wanted - set(sys.stdlib_module_names) - {"kinefract"} <= {*named, "typing_extensions"}


def imported(file: Path) -> set[str]:
    """Return the packages that a module imports as it is imported itself."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
