"""The library, compiled (core.cpp)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

version: str

def run(arguments: Sequence[str], progress: Callable[[str], object] | None) -> dict[str, Any]:
    """Runs a command of `trimtab` in this process and returns its result. Ctrl-C ends it with KeyboardInterrupt."""

class Program:
    """A program in a file."""

    def __init__(self, path: str) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def points(self) -> int: ...
    @property
    def weights_bytes(self) -> int: ...
    def run(
        self, samples: npt.NDArray[np.uint8] | npt.NDArray[np.float32], point: int, threads: int
    ) -> npt.NDArray[np.int32]: ...
    def dequantize(self, integers: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]: ...
