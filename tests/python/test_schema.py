"""The schema of results, docs/result.schema.json, against the results of the commands."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import trimtab

SOURCE = Path(os.environ["TRIMTAB_SOURCE_DIR"])
SCHEMA = json.loads((SOURCE / "docs/result.schema.json").read_text())


def check(kind, result):
    jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{kind}"}).validate(result)


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_results_of_a_network(trained, fitted, samples, folder):
    check("train", trained.to_dict())
    check("fit", fitted.to_dict())
    assert json.loads((folder / "fitted" / "result.json").read_text()) == fitted.to_dict()
    host = trimtab.fit(trained.model_file, data=samples, target="host", max_latency=None, unlabelled=True)
    check("fit", host.to_dict())
    check("eval", trimtab.evaluate(trained.model_file, data=samples).to_dict())
    check("eval", trimtab.evaluate(fitted.program, data=samples).to_dict())
    check("inspect", trimtab.inspect(trained.model_file).to_dict())
    check("inspect", trimtab.inspect(fitted.program).to_dict())


def test_results_of_the_roads(trained, samples, folder):
    scaled = trimtab.scale(trained.model_file, data=samples, rounding="nearest", polish=0, points=2, target="stm32f412", verify=1)
    check("scale", scaled.to_dict())
    assessed = trimtab.assess(
        trained.model_file, data=samples, budgets=["16KB"], bits="8", pruning=["uniform"], rounds=["64+64"], repeats=1,
        no_distillation=True,
    )
    check("assess", assessed.to_dict())
    socs = SOURCE / "targets/socs"
    variants = socs / "mobilenet_v1-exynos5422.csv"
    check("plan", trimtab.sustain.plan(socs / "exynos5422.toml", variants=variants).to_dict())
    check("plan", trimtab.sustain.plan(socs / "exynos5422.toml", variants=variants, deadline=80, late=5, duration=30).to_dict())
    check("simulate", trimtab.sustain.simulate(socs / "exynos5422.toml", variants=variants, duration=20, governors=["fixed"]).to_dict())


def test_results_of_other_tasks(trained, samples, folder):
    targets = np.eye(4, dtype=np.float32)[samples[1]] * 2 - 0.5
    check("fit", trimtab.fit(trained.model_file, data=(samples[0], targets), task="regression", target="host").to_dict())
    check("eval", trimtab.evaluate(trained.model_file, data=(samples[0], targets), task="regression").to_dict())


def test_results_of_commands_without_a_function(trained, fitted, samples, command, folder):
    for name, array in zip(("x", "y"), samples, strict=True):
        np.save(folder / f"{name}.npy", array)
    data = f"npy:{folder}/x.npy,{folder}/y.npy"
    check("data", command("data", data))
    check("taxonomy", command("taxonomy", SOURCE / "tutorial" / "shapes-taxonomy.toml"))
    check("characterize", command("characterize", fitted.out, "--data", data, "--macs", 64, "-o", folder / "energy"))
    out = folder / "studied"
    command("fit", trained.model_file, "--data", data, "--search", "--flash", "64KB", "--epochs", 1, "--trial-epochs", 0, "--widths", 1,
            "--train-data", data, "-o", out)
    check("study", command("study", out))
    check("study", command("study", out, "--trials"))
    check("explain", command("explain", out))
    check("explain", command("explain", out, "--layer", "conv1"))


def test_results_of_a_thermal_plan(command, folder):
    exynos = SOURCE / "targets/socs/exynos5422.toml"
    check("identify", command("sustain", "identify", "--base", exynos, "--fixed-points", 25, "--variants",
                              SOURCE / "targets/socs/mobilenet_v1-exynos5422.csv"))
    board = folder / "board"
    board.mkdir()
    check("doctor", command("sustain", "doctor", "--sysfs-root", board))
    for file, text in {
        "devices/system/cpu/cpufreq/policy4/scaling_max_freq": "1800000",
        "class/thermal/thermal_zone0/temp": "45000",
    }.items():
        (board / file).parent.mkdir(parents=True)
        (board / file).write_text(text)
    govern = ["sustain", "govern", exynos, "--variants", SOURCE / "targets/socs/mobilenet_v1-exynos5422.csv", "--sysfs-root", board,
              "--policy", "policy4", "--zone", "thermal_zone0", "--interval", 0.02]
    check("govern", command(*govern, "--duration", 0.1))
    check("govern", command(*govern, "--duration", 0.3, "--out", folder / "governed"))
    check("govern", command(*govern, "--check"))
    fitted = folder / "fitted-for-a15"
    fitted.mkdir()
    (fitted / "result.json").write_text(json.dumps(
        {"command": "fit", "target": "cortex-a15", "data": "npy:x.npy", "samples": 10, "top1": 90.0, "instructions": 1000000}))
    check("variants", command("variants", fitted, "--soc", exynos, "-o", folder / "net.csv"))


def test_result_of_a_board(trained, samples, command, folder):
    """The board of lesson 4: the recipe is the lesson's own."""
    lesson = (SOURCE / "tutorial" / "04-real-board.md").read_text()
    place = folder / "board-of-the-lesson"
    trimtab.fit(trained.model_file, data=samples, target="stm32f412", name="net", out=place / "out")
    (place / "Makefile").write_text(re.search(r"^```make Makefile\n(.*?)^```", lesson, re.M | re.S)[1])
    subprocess.run(["make", "-s", "all"], cwd=place, check=True, env={**os.environ, "TRIMTAB": str(SOURCE)})
    with (place / "log").open("w") as log:
        board = subprocess.Popen(
            ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=6", "-display", "none", "-monitor", "none", "-serial", "pty",
             "-kernel", "board.elf"], cwd=place, stdout=log, stderr=log)
    try:
        while not (port := re.search(r"/dev/pts/\d+", (place / "log").read_text())):
            assert board.poll() is None, (place / "log").read_text()
            time.sleep(0.05)
        result = command("validate", place / "out", "--port", port[0], "--data", f"npy:{folder}/x.npy,{folder}/y.npy", "--limit", 4)
    finally:
        board.kill()
        board.wait()
    check("validate", result)
    assert result["differing_numbers"] == 0
    assert result == json.loads((place / "out" / "validation.json").read_text())


@pytest.mark.parametrize("kind", ["train", "fit", "scale", "assess", "eval", "inspect"])
def test_typed_attributes_are_keys_of_the_schema(kind):
    described = SCHEMA["$defs"][kind]
    annotations = getattr(trimtab, kind.capitalize() + "Result").__annotations__
    patterns = described.get("patternProperties", {})
    for key in annotations:
        assert key in described["properties"] or any(re.match(pattern, key) for pattern in patterns), key
    assert set(described["required"]) <= set(annotations)


def test_a_key_that_is_no_result_is_refused(fitted):
    with pytest.raises(jsonschema.ValidationError):
        check("fit", {**fitted.to_dict(), "flash_kilobytes": 1})
    with pytest.raises(jsonschema.ValidationError):
        check("fit", {key: value for key, value in fitted.to_dict().items() if key != "plan"})
