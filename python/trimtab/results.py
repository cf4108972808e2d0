"""Typed results. The attributes are the keys of result.json, with units in their names (docs/NAME.md describes them)."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.network import Program

__all__ = ["AssessResult", "EvalResult", "FitResult", "InspectResult", "Result", "ScaleResult", "TrainResult"]


class Result:
    """The result of a command. A key that this run has not is no attribute: getattr(result, key, None) asks for it."""

    def __init__(
        self, values: Mapping[str, Any], out: Path | None, temporary: tempfile.TemporaryDirectory[str] | None = None
    ) -> None:
        self._values = dict(values)
        self._temporary = temporary
        self.out = out
        """The folder of the result, where the command makes one."""

    def __fspath__(self) -> str:
        if self.out is None:
            raise TypeError(f"this {type(self).__name__} has no folder")
        return str(self.out)

    def to_dict(self) -> dict[str, Any]:
        """All keys and values, as in result.json."""
        return dict(self._values)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_") or key not in self._values:
            raise AttributeError(f"this {type(self).__name__} has no '{key}'; it has {', '.join(self._values)}"
                                 if not key.startswith("_") else key)
        return self._values[key]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        numbers = (f"{key}={value!r}" for key, value in self._values.items() if isinstance(value, (int, float)))
        return f"{type(self).__name__}({', '.join(numbers)})"

    def _repr_html_(self) -> str:
        report = self.out / "report.html" if self.out else None
        if report and report.is_file():
            page = html.escape(report.read_text(encoding="utf-8"), quote=True)
            return f'<iframe srcdoc="{page}" style="width: 100%; height: 40em; border: 0"></iframe>'
        rows = "".join(
            f"<tr><th>{html.escape(key)}</th><td>{html.escape(str(value))}</td></tr>"
            for key, value in self._values.items()
            if isinstance(value, (int, float, str))
        )
        return f"<table>{rows}</table>"


class _WithProgram(Result):
    """A result with a program: calling it runs the program on this machine, bit for bit as the device does."""

    @cached_property
    def program(self) -> Program:
        """The integer program of the folder."""
        assert self.out is not None
        return Program(self.out)

    def __call__(self, samples: npt.ArrayLike, point: int = 0, threads: int = 1) -> npt.NDArray[np.int32]:
        """The device's integers for raw samples: see Program.__call__."""
        return self.program(samples, point, threads)

    def dequantize(self, integers: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The real numbers that the integers stand for: see Program.dequantize."""
        return self.program.dequantize(integers)


class FitResult(_WithProgram):
    """The result of `fit`. Percent, bytes and milliseconds stand in the names; see docs/fit.md."""

    model: str
    data: str
    task: dict[str, Any]
    top1: float
    top1_float: float
    agreement: float
    sqnr_db: float | None
    cosine: float
    samples: int
    weights_bytes: int
    target: str
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    arena_bytes: int
    text_bytes: int
    rodata_bytes: int
    instructions: int
    device: dict[str, Any]
    latency_lower_ms: float
    latency_expected_ms: float
    latency_upper_ms: float
    energy: dict[str, Any]
    bounds: dict[str, float]
    plan: list[dict[str, Any]]
    epochs: int
    warnings: list[str]
    seed: int
    wall_s: float
    version: str


class ScaleResult(_WithProgram):
    """The result of `scale`; see docs/scale.md. `point` of a call chooses the operating point."""

    model: str
    data: str
    task: dict[str, Any]
    target: dict[str, Any]
    energy_8x8: dict[str, Any]
    weights_bytes: int
    levels: list[dict[str, Any]]
    points: list[dict[str, Any]]
    choices: list[dict[str, Any]]
    epochs: int
    warnings: list[str]
    seed: int
    wall_s: float
    version: str


class AssessResult(Result):
    """The result of `assess`; see docs/assess.md."""

    model: str
    data: str
    samples: int
    task: dict[str, Any]
    budgets: list[dict[str, Any]]
    trials: dict[str, int]
    warnings: list[str]
    seed: int
    wall_s: float
    version: str


class TrainResult(Result):
    """The result of `train`; see docs/train.md. The network lies in `model_file`."""

    network: str
    data: str
    task: dict[str, Any]
    top1_float: float
    parameters: int
    train_loss: float
    test_loss: float
    samples: int
    training_s: float
    settings: dict[str, Any]
    seed: int
    version: str

    @property
    def model_file(self) -> Path:
        """The trained network, for every other function."""
        assert self.out is not None
        return self.out / "model.onnx"


class EvalResult(Result):
    """The result of `evaluate`; see docs/eval.md."""

    model: str
    data: str
    task: dict[str, Any]
    samples: int
    top1: float
    top1_float: float
    loss: float
    warnings: list[str]
    version: str


class InspectResult(Result):
    """The result of `inspect`; see docs/inspect.md."""

    name: str
    layers: list[dict[str, Any]]
    version: str
