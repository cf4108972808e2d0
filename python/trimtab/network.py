"""Networks and programs as objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab import _core


class Network:
    """A network in a file, as `load` has checked it. Every function takes it as its model."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._description: dict[str, Any] = _core.run(["inspect", str(self.path), "--json"], None)
        if self._description["obstacles"]:
            from trimtab.errors import BadInput

            raise BadInput("; ".join(obstacle["reason"] for obstacle in self._description["obstacles"]))

    @property
    def name(self) -> str:
        """The network's own name."""
        return str(self._description["name"])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample, channels first."""
        return tuple(self._description["input_shape"])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one answer, channels first."""
        return tuple(self._description["output_shape"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Of every layer: name, operator, output_shape, parameters, macs, weight_bytes, activation_bytes."""
        return list(self._description["layers"])

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Network({str(self.path)!r}, input_shape={self.input_shape}, output_shape={self.output_shape})"


class Program:
    """The integer program that `fit` or `scale` made: a folder of theirs, or its program.bin."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        folder = Path(path)
        self.path = folder / "program.bin" if folder.is_dir() else folder
        self._core = _core.Program(str(self.path))

    @property
    def name(self) -> str:
        """The network's name."""
        return self._core.name

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample, channels first."""
        return self._core.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one answer, channels first."""
        return self._core.output_shape

    @property
    def points(self) -> int:
        """The number of operating points."""
        return self._core.points

    @property
    def weights_bytes(self) -> int:
        """Bytes of the packed weights."""
        return self._core.weights_bytes

    def __call__(self, samples: npt.ArrayLike, point: int = 0, threads: int = 1) -> npt.NDArray[np.int32]:
        """The integers that the device answers with, at an operating point.

        Args:
            samples: raw ones as the sensor gives them, channels first behind their number: pixels are uint8, anything
                else becomes float32
            point: the operating point, from 0
            threads: that share the samples

        Returns:
            One row for each sample: (samples, channels), or (samples, height, width, channels) in the device's order.
        """
        array = np.asarray(samples)
        array = np.ascontiguousarray(array, dtype=np.uint8 if array.dtype == np.uint8 else np.float32)
        return self._core.run(array, point, threads)

    def dequantize(self, integers: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The real numbers that integers of a call stand for, channels first as the network's file has them."""
        return self._core.dequantize(np.ascontiguousarray(integers, dtype=np.int32))

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Program({str(self.path)!r}, input_shape={self.input_shape}, points={self.points})"


def load(path: str | os.PathLike[str]) -> Network | Program:
    """A network (ONNX or TensorFlow Lite), or the program of a folder that fit or scale made."""
    place = Path(path)
    return Program(place) if place.is_dir() or place.suffix == ".bin" else Network(place)
