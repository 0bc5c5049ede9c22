"""The reports in benchmarks/reports: `make bench DATA=FOLDER`, or `python benchmarks/reports.py --data FOLDER`.

FOLDER holds `hapt/`, `ecg5000/` and `mitdb/` in their publishers' files. Each set goes from `edgecnn init` to a bundle with the
settings that `init` proposes, seed 0, and is measured on this machine and on every virtual board; so is the built-in demo.
"""

import argparse
import shutil
from pathlib import Path

from real_data import edgecnn, make_project

REPORTS = Path(__file__).resolve().parent / "reports"
FILES = ("report.html", "report.json", "report.md")
SETS = ("hapt", "ecg5000", "mitdb")


def main() -> None:
    """Build, measure and copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/reports"))
    parser.add_argument("--sets", nargs="*", choices=(*SETS, "demo"), default=(*SETS, "demo"))
    options = parser.parse_args()
    for key in options.sets:
        target = ["--demo"] if key == "demo" else [str(make_project(options.data, options.work, key))]
        build = options.work / key / "build"
        edgecnn("export", *target, "--build-dir", str(build), "--quiet")
        bundle = build / ("ecg_demo" if key == "demo" else key)
        print(edgecnn("benchmark", str(bundle), "--board", "all", "--quiet").splitlines()[0], flush=True)
        folder = REPORTS / key
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(bundle / name, folder / name)


if __name__ == "__main__":
    main()
