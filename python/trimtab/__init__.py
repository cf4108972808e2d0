"""Trimtab fits trained ConvNets to edge devices.

The functions are the commands of the program `trimtab`: the same options, the same results.

    import trimtab

    fitted = trimtab.fit("resnet8.onnx", data=(samples, labels), target="stm32f412", flash="96KB")
    print(fitted.top1, fitted.flash_bytes)
    integers = fitted(samples)
"""

from trimtab import sustain
from trimtab._commands import assess, evaluate, fit, inspect, package, scale, train, variants
from trimtab._core import version as __version__
from trimtab.errors import BadInput, BoundNotMet, Error, Failure, TrimtabWarning
from trimtab.network import Network, Program, load
from trimtab.results import AssessResult, EvalResult, FitResult, InspectResult, Result, ScaleResult, TrainResult

__all__ = [
    "AssessResult",
    "BadInput",
    "BoundNotMet",
    "Error",
    "EvalResult",
    "Failure",
    "FitResult",
    "InspectResult",
    "Network",
    "Program",
    "Result",
    "ScaleResult",
    "TrainResult",
    "TrimtabWarning",
    "__version__",
    "assess",
    "evaluate",
    "fit",
    "inspect",
    "load",
    "package",
    "scale",
    "sustain",
    "train",
    "variants",
]
