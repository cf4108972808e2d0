import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import trimtab


@pytest.fixture(scope="session")
def command():
    """Runs the built command and returns its JSON."""

    def run(*arguments):
        finished = subprocess.run(
            [os.environ["TRIMTAB_COMMAND"], *map(str, arguments), "--json"], capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("trimtab")


@pytest.fixture(scope="session")
def samples():
    """Pictures of four classes, as bytes: class k is bright in quadrant k."""
    random = np.random.default_rng(1)
    labels = np.arange(64) % 4
    pictures = random.integers(0, 100, (64, 3, 16, 16), dtype=np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = divmod(int(label), 2)
        picture[:, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] += 120
    return pictures, labels.astype(np.int64)


@pytest.fixture(scope="session")
def trained(folder, samples):
    return trimtab.train(net="cifar10_quick:bn", data=samples, epochs=2, crop="0", flip="off", out=folder / "trained", threads=1)


@pytest.fixture(scope="session")
def fitted(trained, samples, folder):
    return trimtab.fit(trained.model_file, data=samples, target="stm32f412", verify=2, out=folder / "fitted", threads=1)
