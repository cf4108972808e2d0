"""The command `trimtab` of an installed package."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Becomes the command, with the same arguments."""
    command = Path(__file__).parent / "bin" / "trimtab"
    os.execv(command, ["trimtab", *sys.argv[1:]])


if __name__ == "__main__":
    main()
