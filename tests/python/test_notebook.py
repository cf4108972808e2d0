"""The notebook of the tutorial, cell by cell as a reader runs it."""

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(os.environ["TRIMTAB_SOURCE_DIR"]) / "tutorial" / "trimtab.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The executed cells of code."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path_factory.mktemp("notebook")}}
    ).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def cell_with(cells, text):
    (found,) = [cell for cell in cells if text in cell.source]
    return found


def test_result_is_shown_as_its_report(cells):
    (output,) = cell_with(cells, "# the report").outputs
    assert "srcdoc=" in output.data["text/html"]
    assert "stm32f412" in output.data["text/html"]


def test_fewer_bits_take_less_flash(cells):
    flash = [int(number) for number in re.findall(r"(\d+) bytes of flash", printed(cell_with(cells, "by_bits")))]
    assert len(flash) == 3
    assert flash == sorted(flash, reverse=True)


def test_missed_bound_is_told(cells):
    assert re.match(r"3 flash takes [\d,]+ bytes", printed(cell_with(cells, "BoundNotMet")))


def test_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
