"""``python -m bench``."""

from __future__ import annotations

import sys

from bench.noop import main

sys.exit(main())
