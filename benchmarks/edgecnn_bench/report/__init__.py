"""The report: `report.json` and the pages drawn from it alone."""
