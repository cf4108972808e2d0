"""From the values of Python to the arguments of a command, and back from its result."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union

import numpy as np
import numpy.typing as npt

from trimtab import _core
from trimtab.errors import BadInput, TrimtabWarning
from trimtab.network import Network, Program
from trimtab.results import Result

Text = Union[str, int, float, os.PathLike[str]]
Model = Union[str, os.PathLike[str], Network, Program, Any]
"""A file, a loaded network, or a torch.nn.Module."""
Data = Union[str, os.PathLike[str], npt.NDArray[Any], tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""Words of --data such as "cifar10:DIR", or arrays: samples (number, channels, height, width), and their answers."""
Progress = Callable[[str], object]

_Kind = TypeVar("_Kind", bound=Result)


def run(
    command: Sequence[str], kind: type[_Kind], values: Mapping[str, Any], progress: Progress | None, needs_out: bool
) -> _Kind:
    """Runs a command in this process. `values`: by name of an option ("--flash") or of a positional one ("MODEL").

    A command that needs a folder for its result gets a temporary one where none is given.
    """
    with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
        values, out, temporary = _choose_out(values, needs_out)
        shape = _sample_shape(values.get("--data"))
        options: list[str] = []
        for name, value in values.items():
            words = _words(name, value, Path(scratch), shape)
            options += [f"{name}={word}" if name.startswith("--") else word for word in words]
        described = _core.run([*command, *options], progress)
    for warning in described.get("warnings", []):
        warnings.warn(warning, TrimtabWarning, stacklevel=3)
    return kind(described, out, temporary)


def _choose_out(
    values: Mapping[str, Any], needs_out: bool
) -> tuple[dict[str, Any], Path | None, tempfile.TemporaryDirectory[str] | None]:
    chosen = dict(values)
    if chosen.get("--out") is not None:
        return chosen, Path(chosen["--out"]), None
    if not needs_out:
        return chosen, None, None
    temporary = tempfile.TemporaryDirectory(prefix="trimtab-out-")
    chosen["--out"] = Path(temporary.name) / "out"
    return chosen, chosen["--out"], temporary


def _words(name: str, value: Any, scratch: Path, shape: tuple[int, ...] | None) -> list[str]:
    """The words of an option, one for each time that it is given."""
    if value is None or value is False:
        return []
    if value is True:  # a flag
        return ["true"]
    if isinstance(value, np.ndarray) or (isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value)):
        return [_save(name.strip("-"), value, scratch)]
    if isinstance(value, (list, tuple)):
        return [os.fspath(v) if isinstance(v, os.PathLike) else str(v) for v in value]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return [str(_export(value, scratch / f"{name.strip('-').lower()}.onnx", shape))]
    return [os.fspath(value) if isinstance(value, os.PathLike) else str(value)]


def _sample_shape(data: Any) -> tuple[int, ...] | None:
    samples = data[0] if isinstance(data, tuple) else data
    return samples.shape[1:] if isinstance(samples, np.ndarray) else None


def _save(name: str, value: Any, scratch: Path) -> str:
    arrays = value if isinstance(value, tuple) else (value,)
    files = []
    for number, array in enumerate(arrays):
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        file = scratch / f"{name}-{number}.npy"
        np.save(file, np.ascontiguousarray(array))
        files.append(str(file))
    return "npy:" + ",".join(files)


def _export(module: Any, file: Path, shape: tuple[int, ...] | None) -> Path:
    """Writes a module of PyTorch as ONNX, by PyTorch's own exporter."""
    import torch

    if shape is None:
        raise BadInput("the shape of the module's input is not known; give data as an array, or export it to ONNX")
    training = module.training
    module.eval()
    try:
        torch.onnx.export(module, torch.zeros(1, *shape), str(file))
    finally:
        module.train(training)
    return file
