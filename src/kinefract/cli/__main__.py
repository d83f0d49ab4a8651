"""``python -m kinefract.cli`` is the same as ``kinefract``."""

import sys

from kinefract.cli import main

sys.exit(main())
