"""The page in headless Chromium: no console error, no request, styled, and nothing wider than a phone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecnn_bench.report.compare import compare_html
from edgecnn_bench.report.html import render_html
from edgecnn_bench.report.survey import SurveyPicture, render_survey
from edgecnn_bench.results import Report

from .hostile import hostile

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"),
    *("--virtual-time-budget=3000", "--allow-file-access-from-files", "--dump-dom"),
)
# The page itself allows no script; a frame around it measures it.
PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title>
<iframe id="page" src="page.html" width="{width}" height="800"></iframe><pre id="found"></pre>
<script>
document.getElementById("page").onload = (event) => {{
  const inside = event.target.contentDocument;
  const style = event.target.contentWindow.getComputedStyle(inside.querySelector("h1"));
  document.getElementById("found").textContent = JSON.stringify({{
    scroll: inside.documentElement.scrollWidth, client: inside.documentElement.clientWidth,
    cut: [...inside.querySelectorAll("svg.chart text:not([transform])")].filter((text) => {{
      const box = text.getBBox(), room = text.ownerSVGElement.viewBox.baseVal;
      return box.width > 0 && (box.x < -1.5 || box.x + box.width > room.width + 1.5);
    }}).length,
    font: style.fontSize, loads: event.target.contentWindow.performance.getEntriesByType("resource").length,
  }});
}};
</script>"""

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on PATH")


def measure(page: str, width: int, folder: Path) -> tuple[dict[str, str], str]:
    (folder / "page.html").write_text(page, encoding="utf-8")
    probe = folder / "probe.html"
    probe.write_text(PROBE.format(width=width), encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900", probe.as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="found">(\{.*?\})</pre>', done.stdout)
    assert found is not None, done.stderr
    return dict(re.findall(r'"(\w+)":"?([\w.]+)"?', found[1])), done.stderr


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("kind", ["sample", "rich", "hostile", "bare", "comparison", "survey"])
def test_the_page_is_styled_quiet_and_fits(
    sample: Report, rich: Report, bare: Report, surveyed: SurveyPicture, tmp_path: Path, kind: str, width: int
) -> None:
    pages = {
        "sample": lambda: render_html(sample),
        "rich": lambda: render_html(rich),
        "hostile": lambda: render_html(hostile(rich)),
        "bare": lambda: render_html(bare),
        "comparison": lambda: compare_html([sample, sample]),
        "survey": lambda: render_survey(surveyed),
    }
    page = pages[kind]()
    found, log = measure(page, width, tmp_path)
    assert int(found["scroll"]) <= int(found["client"])
    # No text of a drawing runs over its edge; the font of this machine decides, and names of any script may be wider.
    assert kind in {"hostile", "survey"} or found["cut"] == "0"
    # A style sheet that its own security policy blocks leaves the browser's 32 px.
    assert found["font"] != "32px"
    assert found["loads"] == "0"
    assert "CONSOLE" not in log, log
