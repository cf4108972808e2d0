"""The types of the package, and those of its functions, which are those of the options."""

import os
import subprocess
import sys
import typing
from pathlib import Path

import trimtab


def test_functions_carry_the_types_of_their_options():
    hints = typing.get_type_hints(trimtab.fit)
    assert hints["return"] is trimtab.FitResult
    assert hints["optimize"] == typing.Optional[typing.Literal["speed", "size"]]
    assert hints["max_latency"] == typing.Optional[float]
    assert hints["epochs"] == typing.Optional[int]
    assert hints["search"] is bool
    assert typing.get_type_hints(trimtab.FitResult)["flash_bytes"] is int
    assert typing.get_type_hints(trimtab.package)["for_"] == typing.Literal[
        "arduino", "platformio", "zephyr", "esp-idf", "cmsis-pack"
    ]


def test_package_is_typed_throughout(tmp_path):
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, "-p", "trimtab"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(trimtab.__file__).parent.parent)},
    )
    assert checked.returncode == 0, checked.stdout
