import re

import pytest

from edgecnn.data.downloads.sources import NAMES, find_source
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import SettingsError


@pytest.mark.parametrize("name", NAMES)
def test_every_source_states_its_terms_and_how_to_read_it(name):
    source = find_source(name)
    assert source.name == name
    title, where, terms, cite = source.terms
    assert title == source.title
    assert where.startswith("from https://")
    assert len(terms) > 20 < len(cite)
    DataSettings(path="x", format=source.read_as)
    for download in source.downloads:
        assert download.url.startswith("https://")
        assert "/" not in download.file
        assert download.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", download.sha256)


def test_mitdb_has_every_record_and_its_publishers_sums(shared_data):
    published = {}
    for line in (shared_data / "mitdb" / "SHA256SUMS.txt").read_text().splitlines():
        sha256, name = line.split()
        published[name] = sha256
    downloads = find_source("mitdb").downloads
    records = (shared_data / "mitdb" / "RECORDS").read_text().split()
    wanted = {f"{record}.{kind}" for record in records for kind in ("hea", "dat", "atr")} | {"RECORDS", "ANNOTATORS"}
    assert {download.file for download in downloads} == wanted
    assert len(wanted) == 146
    for download in downloads:
        assert download.sha256 == published[download.file]
        local = shared_data / "mitdb" / download.file
        assert not local.exists() or local.stat().st_size <= download.max_bytes


def test_an_unknown_source_lists_the_known_ones():
    with pytest.raises(
        SettingsError, match=r"no data set 'mit-db' to fetch; did you mean 'mitdb'\?; known: uci-har, hapt"
    ):
        find_source("mit-db")
