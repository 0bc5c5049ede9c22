"""A report's files beside the bundle: written together, read back from the JSON."""

from pathlib import Path
from typing import Final

from edgecnn_bench.report.html import render_html
from edgecnn_bench.report.markdown import render_markdown
from edgecnn_bench.results import MAX_REPORT_BYTES, BoardRun, Report, parse_report
from edgecnn_firmware.bundle import Bundle, write_file_atomically
from edgecnn_firmware.errors import BundleError

REPORT_JSON: Final = "report.json"


def write_report(folder: Path, report: Report) -> None:
    """Write report.json and the pages drawn from it, each whole or not at all.

    Raises:
        BundleError: the disk refuses.
    """
    pages = {REPORT_JSON: report.to_json(), "report.md": render_markdown(report), "report.html": render_html(report)}
    for name, text in pages.items():
        write_file_atomically(folder / name, text.encode("utf-8"))


def load_report(place: Path) -> Report:
    """Read the report of a bundle folder, or a `report.json` anywhere.

    Raises:
        BundleError: there is none, it is of another schema version, or it is not valid.
    """
    path = place / REPORT_JSON if place.is_dir() else place
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_REPORT_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; 'edgecnn benchmark BUNDLE' writes it") from error
    return parse_report(data, str(path))


def board_runs(bundle: Bundle) -> tuple[BoardRun, ...]:
    """Measurements on virtual boards in a bundle's own report; none where it has no valid report of the same files."""
    try:
        report = load_report(bundle.path)
    except BundleError:
        return ()
    return report.boards if report.card.files == bundle.card.files else ()
