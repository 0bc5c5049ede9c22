import json
from pathlib import Path

import jsonschema

from edgecnn_bench.results import Report

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "report.schema.json"


def test_reports_fit_the_published_schema(sample: Report, bare: Report) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for report in (sample, bare):
        jsonschema.validate(json.loads(report.to_json()), schema)
