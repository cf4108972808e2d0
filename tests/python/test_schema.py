"""The schema of results, docs/result.schema.json, against the result of every command."""

import json
import os
import re
from pathlib import Path

import jsonschema
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
    check("simulate", trimtab.sustain.simulate(socs / "exynos5422.toml", variants=variants, duration=20, governors=["fixed"]).to_dict())


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
