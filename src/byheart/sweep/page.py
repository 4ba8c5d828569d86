"""sweep.html: placeholder"""

from pathlib import Path
from typing import Any


def write_page(setup: Any, known: Any, chosen: Any, report: Any) -> Path:
    return setup.folder / "sweep.html"
