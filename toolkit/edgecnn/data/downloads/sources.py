"""The data sets that `edgecnn data fetch` knows, with their terms and SHA-256 sums.

UCI publishes no sums: those of its two archives are the ones that several unrelated public projects recorded for the
same address. PhysioNet publishes the sum of every file. A set without a known sum is fetched only with one the user
gives.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from edgecnn.data.labels import did_you_mean
from edgecnn_firmware.errors import SettingsError

_UCI_TERMS: Final = (
    "CC BY 4.0 by the repository's page; the README inside asks for the citation and excludes commercial use"
)
_UCI: Final = "https://archive.ics.uci.edu/static/public"
_PHYSIONET: Final = "https://physionet.org/files/mitdb/1.0.0"
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_.-]+)")


@dataclass(frozen=True)
class Download:
    """One file to fetch, of at most `max_bytes`; `sha256` is None where no sum is known."""

    url: str
    file: str
    max_bytes: int
    sha256: str | None


@dataclass(frozen=True)
class Source:
    """A data set, its terms and its files."""

    name: str
    title: str
    license: str
    citation: str
    page: str
    read_as: str
    """`data.format` of the fetched folder."""
    downloads: tuple[Download, ...]
    nested: tuple[tuple[str, str], ...] = ()
    """Archives inside the archive that are unpacked too: path and SHA-256."""
    root: str = ""
    """The folder inside the archive that becomes the destination; empty: all of it."""
    max_unpacked_bytes: int = 2 << 30

    @property
    def terms(self) -> tuple[str, ...]:
        """What a user must see before anything is fetched."""
        size = sum(download.max_bytes for download in self.downloads) / 1e6
        return (
            self.title,
            f"from {self.page} (at most {size:.0f} MB)",
            f"terms: {self.license}",
            f"cite: {self.citation}",
        )


UCI_HAR: Final = Source(
    name="uci-har",
    title="Human Activity Recognition Using Smartphones: 30 people, 6 activities, 50 Hz, windows of 128 samples",
    license=_UCI_TERMS,
    citation="Anguita, Ghio, Oneto, Parra, Reyes-Ortiz, A Public Domain Dataset for Human Activity Recognition Using "
    "Smartphones, ESANN 2013; doi 10.24432/C54S4K",
    page="https://archive.ics.uci.edu/dataset/240",
    read_as="uci-har",
    downloads=(
        Download(
            url=f"{_UCI}/240/human+activity+recognition+using+smartphones.zip",
            file="uci-har.zip",
            max_bytes=61_005_872,
            sha256="c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
        ),
    ),
    nested=(("UCI HAR Dataset.zip", "2045e435c955214b38145fb5fa00776c72814f01b203fec405152dac7d5bfeb0"),),
    root="UCI HAR Dataset",
)

HAPT: Final = Source(
    name="hapt",
    title="Smartphone-Based Recognition of Human Activities and Postural Transitions: 30 people, 12 activities, 50 Hz",
    license=_UCI_TERMS,
    citation="Reyes-Ortiz, Oneto, Sama, Parra, Anguita, Transition-Aware Human Activity Recognition Using Smartphones, "
    "Neurocomputing 171 (2016); doi 10.24432/C54G7M",
    page="https://archive.ics.uci.edu/dataset/341",
    read_as="uci-hapt",
    downloads=(
        Download(
            url=f"{_UCI}/341/smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
            file="hapt.zip",
            max_bytes=79_596_192,
            sha256="4ac4ae064227c07045a99551876b54d204837e995e298b6488559e209b3deb09",
        ),
    ),
)

ECG5000: Final = Source(
    name="ecg5000",
    title="ECG5000 of the UCR archive: 5,000 heart beats of one patient, 140 samples each, 5 classes",
    license="none stated by the archive, which asks for its citation",
    citation="Dau et al., The UCR Time Series Classification Archive, 2018; Goldberger et al., PhysioBank, "
    "PhysioToolkit, and PhysioNet, Circulation 101(23), 2000",
    page="https://www.timeseriesclassification.com/description.php?Dataset=ECG5000",
    read_as="ucr",
    downloads=(
        Download(
            url="https://www.timeseriesclassification.com/aeon-toolkit/ECG5000.zip",
            file="ecg5000.zip",
            max_bytes=100 << 20,
            sha256=None,
        ),
    ),
)


def _mitdb() -> Source:
    text = (files(__package__) / "mitdb.sha256").read_text(encoding="utf-8")
    sums = [match.groups() for match in map(_SUM_LINE.fullmatch, text.splitlines()) if match]
    return Source(
        name="mitdb",
        title="MIT-BIH Arrhythmia Database 1.0.0: 48 half-hour records of 2 leads at 360 Hz, beats annotated",
        license="Open Data Commons Attribution License 1.0 (ODC-By)",
        citation="Moody, Mark, The impact of the MIT-BIH Arrhythmia Database, IEEE Eng. Med. Biol. 20(3), 2001; "
        "Goldberger et al., Circulation 101(23), 2000; doi 10.13026/C2F305",
        page="https://physionet.org/content/mitdb/1.0.0/",
        read_as="wfdb",
        downloads=tuple(
            Download(f"{_PHYSIONET}/{name}", name, 1_950_000 if name.endswith(".dat") else 64_000, sha256)
            for sha256, name in sums
        ),
    )


NAMES: Final = ("uci-har", "hapt", "mitdb", "ecg5000")


def find_source(name: str) -> Source:
    """Look a data set up by name.

    Raises:
        SettingsError: no such data set; the line lists those that are known.
    """
    if name == "mitdb":
        return _mitdb()
    for source in (UCI_HAR, HAPT, ECG5000):
        if source.name == name:
            return source
    raise SettingsError(f"no data set '{name}' to fetch{did_you_mean(name, NAMES)}; known: {', '.join(NAMES)}")
