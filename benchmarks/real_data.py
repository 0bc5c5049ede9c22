"""Projects on the real data sets, with the settings that `edgecnn init` proposes."""

import json
import subprocess
import sys
from pathlib import Path

MITDB_TEST = ["100", "105", "200", "210", "214", "221", "233"]


def edgecnn(*arguments: str) -> str:
    """Run one command of the toolkit in a process of its own and return its stdout."""
    command = [sys.executable, "-m", "edgecnn", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def make_project(data: Path, work: Path, key: str) -> Path:
    """Write the project that `init` proposes; for MIT-BIH, name the test records, which its files do not."""
    project = work / key / "edgecnn.toml"
    project.parent.mkdir(parents=True, exist_ok=True)
    if not project.exists():
        edgecnn("init", str(data / key), "--output", str(project))
        if key == "mitdb":
            lines = project.read_text(encoding="utf-8").splitlines()
            test = [i for i, line in enumerate(lines) if line.startswith("test = ")]
            lines[test[0]] = f"test = {json.dumps(MITDB_TEST)}"
            project.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return project
