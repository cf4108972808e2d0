"""The functions against the command: the same results from the same options."""

import inspect
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

import trimtab

SOURCE = Path(os.environ["TRIMTAB_SOURCE_DIR"])


def without(values, *keys):
    return {key: value for key, value in values.items() if key not in keys}


@pytest.fixture(scope="session")
def files(folder, samples):
    np.save(folder / "x.npy", samples[0])
    np.save(folder / "y.npy", samples[1])
    return f"npy:{folder / 'x.npy'},{folder / 'y.npy'}"


def test_fit_of_arrays_is_the_fit_of_the_command(fitted, trained, files, folder, command):
    theirs = command(
        "fit", trained.model_file, "--data", files, "--target", "stm32f412", "--verify", 2, "--threads", 1, "-o", folder / "theirs"
    )
    assert without(fitted.to_dict(), "wall_s", "data", "command_line") == without(theirs, "wall_s", "data", "command_line")
    assert fitted.device["mismatches"] == 0
    assert fitted.flash_bytes == theirs["flash_bytes"]
    assert fitted.command_line.startswith("trimtab fit ") and "--target=stm32f412" in fitted.command_line
    program = Path("device") / "firmware.elf"
    assert (folder / "fitted" / "program.bin").read_bytes() == (folder / "theirs" / "program.bin").read_bytes()
    assert (folder / "fitted" / program).is_file()


def test_a_fitted_network_answers_as_the_command_does(fitted, samples, files, folder, command):
    answers = folder / "answers.npy"
    evaluated = command("eval", folder / "fitted", "--data", files, "--outputs", answers)
    integers = fitted(samples[0])
    assert integers.dtype == np.int32
    assert integers.shape == (64, 4)
    np.testing.assert_array_equal(fitted.dequantize(integers), np.load(answers))
    assert np.mean(integers.argmax(axis=1) == samples[1]) * 100 == pytest.approx(evaluated["top1"])


def test_evaluate_and_inspect_are_those_of_the_command(trained, fitted, samples, files, folder, command):
    mine = trimtab.evaluate(trained.model_file, data=samples)
    assert without(mine.to_dict(), "data") == without(command("eval", trained.model_file, "--data", files), "data")
    mine = trimtab.evaluate(fitted.program, data=samples)
    theirs = command("eval", folder / "fitted", "--data", files)
    assert without(mine.to_dict(), "data", "model") == without(theirs, "data", "model")
    assert trimtab.inspect(trained.model_file).to_dict() == command("inspect", trained.model_file)
    assert trimtab.inspect(folder / "fitted").to_dict() == command("inspect", folder / "fitted")


def test_scale_is_that_of_the_command(trained, samples, files, folder, command):
    mine = trimtab.scale(trained.model_file, data=samples, rounding="nearest", polish=0, points=2, out=folder / "scaled", threads=1)
    theirs = command(
        "scale", trained.model_file, "--data", files, "--rounding", "nearest", "--polish", 0, "--points", 2,
        "--threads", 1, "-o", folder / "scaled-too",
    )
    assert without(mine.to_dict(), "wall_s", "data", "command_line") == without(theirs, "wall_s", "data", "command_line")
    assert mine.program.points == len(theirs["points"])
    assert mine(samples[0], point=mine.program.points - 1).shape == (64, 4)


def test_sustain_is_that_of_the_command(command):
    soc = SOURCE / "targets/socs/exynos5422.toml"
    variants = SOURCE / "targets/socs/mobilenet_v1-exynos5422.csv"
    mine = trimtab.sustain.plan(soc, variants=variants, ambient=35.0, temperature_limit=85.0)
    theirs = command("sustain", "plan", soc, "--variants", variants, "--ambient", 35, "--temperature-limit", 85)
    assert without(mine.to_dict(), "command_line") == without(theirs, "command_line")
    mine = trimtab.sustain.simulate(soc, variants=variants, governors=["fixed", "pi"], duration=60)
    theirs = command("sustain", "simulate", soc, "--variants", variants, "--governors", "fixed", "pi", "--duration", 60)
    assert without(mine.to_dict(), "command_line") == without(theirs, "command_line")


def test_variants_are_those_of_the_command_and_a_plan_takes_them(folder, command):
    soc = SOURCE / "targets/socs/exynos5422.toml"
    results = []
    for name, top1 in (("wide", 90.0), ("narrow", 85.0)):
        values = {"command": "fit", "target": "cortex-a15", "data": "npy:x.npy", "samples": 10, "top1": top1, "instructions": 1000000}
        (folder / name).mkdir()
        (folder / name / "result.json").write_text(json.dumps(values))
        results.append(trimtab.FitResult(values, folder / name))
    mine = trimtab.variants(results, soc=soc)
    theirs = command("variants", folder / "wide", folder / "narrow", "--soc", soc, "-o", folder / "theirs.csv")
    assert mine.out.read_text() == (folder / "theirs.csv").read_text()
    assert without(mine.to_dict(), "command_line", "variants_file") == without(theirs, "command_line", "variants_file")
    plan = trimtab.sustain.plan(soc, variants=[mine], min_accuracy=89.0)
    assert plan.to_dict()["accuracy"] >= 89.0


def test_package_makes_the_package_of_the_command(fitted, folder):
    made = trimtab.package(fitted, for_="platformio", out=folder / "package")
    assert (folder / "package" / "library.json").is_file()
    assert made.to_dict() == {"package": str(folder / "package")}


def test_a_search_runs_its_trials_in_processes_of_the_command(trained, samples, folder):
    found = trimtab.fit(
        trained.model_file, data=samples, search=True, epochs=1, widths=[1.0], trial_epochs=0, validation_samples=8,
        verify=1, out=folder / "searched", threads=1,
    )
    assert found.search["trials"] > 0
    assert any((folder / "searched" / "logs").iterdir())


def test_load_describes_networks_and_programs(trained, fitted, folder):
    network = trimtab.load(trained.model_file)
    assert isinstance(network, trimtab.Network)
    assert network.input_shape == (3, 16, 16)
    assert network.output_shape == (4,)
    assert sum(layer["parameters"] for layer in network.layers) > 1000
    program = trimtab.load(folder / "fitted")
    assert isinstance(program, trimtab.Program)
    assert program.input_shape == (3, 16, 16)
    assert program.weights_bytes == fitted.weights_bytes


def test_functions_have_the_options_of_the_command():
    table = (SOURCE / "docs/options.md").read_text()
    options = {name for cell in re.findall(r"^\| `([^`]*)`", table, re.MULTILINE) for name in cell.split(", ")}
    for function in (trimtab.fit, trimtab.scale, trimtab.assess, trimtab.train, trimtab.evaluate, trimtab.inspect,
                     trimtab.sustain.plan):
        parameters = inspect.signature(function).parameters
        for name in parameters:
            known = {name.upper(), "--" + name.rstrip("_").replace("_", "-")}
            assert name == "progress" or known & options, f"{function.__name__}: {name}"
            assert f"{name}: " in inspect.getdoc(function)


def test_results_show_themselves(fitted, folder):
    assert "<th>top1</th>" in fitted._repr_html_() or "srcdoc" in fitted._repr_html_()
    (folder / "fitted" / "report.html").write_text("<p>the \"report\"</p>")
    assert "&quot;report&quot;" in fitted._repr_html_()
    assert "flash_bytes=" in repr(fitted)
    with pytest.raises(AttributeError, match="has no 'flash'; it has command, "):
        fitted.flash
