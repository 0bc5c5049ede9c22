"""The Debian packages: read by dpkg, unpacked, compiled against, run."""

import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.packages import prebuilt
from edgecnn_firmware.packages.deb import package_name
from edgecnn_firmware.packages.debian import DebianPackage, debian_bytes
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.prebuilt import MACHINES, Machine, this_machine
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run
from .test_python import _EMULATED

pytestmark = pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed")
Write = Callable[[str], Path]
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
each_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.debian)


def deb_of(folder: Path, machine: Machine) -> str:
    return str(folder / f"libwrist_1.2.3_{machine.debian}.deb")


def members(data: bytes) -> dict[str, bytes]:
    """An independent reader of `ar`."""
    assert data[:8] == b"!<arch>\n"
    found, at = {}, 8
    while at < len(data):
        header = data[at : at + 60]
        assert header[58:] == b"`\n"
        size = int(header[48:58])
        found[header[:16].decode().strip()] = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def test_golden(product: Product) -> None:
    files = find_format("deb").files(product)
    check_golden("deb/README.md", files["README.md"])
    parts = members(files["libwrist_1.2.3_arm64.deb"])
    assert list(parts) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    assert parts["debian-binary"] == b"2.0\n"
    with tarfile.open(fileobj=io.BytesIO(parts["control.tar.gz"])) as archive:
        for name in ("control", "shlibs", "triggers"):
            member = archive.extractfile(f"./{name}")
            assert member is not None
            data = member.read()
            check_golden(f"deb/{name}", re.sub(rb"(?<=Installed-Size: )\d+", b"N", data))
    with tarfile.open(fileobj=io.BytesIO(parts["data.tar.gz"])) as archive:
        texts = {entry.name: archive.extractfile(entry) for entry in archive.getmembers() if entry.isreg()}
        for name in ("copyright", "wrist.pc"):
            (stream,) = [stream for path, stream in texts.items() if path.endswith(f"/{name}")]
            assert stream is not None
            check_golden(f"deb/{name}", stream.read())
        for entry in archive.getmembers():
            assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "root", "root")
            assert entry.mtime == 315_532_800
            assert entry.mode == (0o777 if entry.issym() else 0o755 if entry.isdir() else 0o644)


@needs_dpkg
@each_machine
def test_dpkg_reads_it(machine: Machine, package: Write) -> None:
    deb = deb_of(package("deb"), machine)
    said = run(["dpkg-deb", "--info", deb], Path.cwd())
    for line in ("Package: libwrist", "Version: 1.2.3", f"Architecture: {machine.debian}", "Depends: libc6 (>= 2.17)"):
        assert f" {line}\n" in said
    listed = run(["dpkg-deb", "--contents", deb], Path.cwd())
    folder = f"./usr/lib/{machine.triplet}"
    assert f"{folder}/libwrist.so.1 -> libwrist.so.1.2.3" in listed
    assert f"{folder}/libwrist.so -> libwrist.so.1" in listed
    assert f"{folder}/pkgconfig/wrist.pc" in listed
    assert "./usr/include/wrist/wrist.h" in listed


@needs_dpkg
def test_the_digests_are_right(package: Write, tmp_path: Path) -> None:
    deb = deb_of(package("deb"), MACHINES[0])
    run(["dpkg-deb", "-R", deb, "root"], tmp_path)
    lines = (tmp_path / "root/DEBIAN/md5sums").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    there = [path for path in (tmp_path / "root/usr").rglob("*") if path.is_file() and not path.is_symlink()]
    assert set(listed) == {str(path.relative_to(tmp_path / "root")) for path in there}
    for path in there:
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        assert listed[str(path.relative_to(tmp_path / "root"))] == digest


@needs_dpkg
@pytest.mark.skipif(shutil.which("pkg-config") is None, reason="pkg-config is not installed")
@each_machine
def test_a_user_compiles_against_it(machine: Machine, package: Write, tmp_path: Path) -> None:
    native = this_machine() == machine
    emulator, root, _ = _EMULATED.get(machine.key, ("", "", ""))
    if not native and (shutil.which(emulator) is None or not Path(root).is_dir()):
        pytest.skip("no emulator or no C library of that machine (qemu-user-static, libc6-ARCH-cross)")
    if native and shutil.which("cc") is None:
        pytest.skip("no C compiler called cc")
    folder = package("deb")
    run(["dpkg-deb", "-x", deb_of(folder, machine), "root"], tmp_path)
    libraries = tmp_path / f"root/usr/lib/{machine.triplet}"
    environment = {
        "PKG_CONFIG_SYSROOT_DIR": str(tmp_path / "root"),
        "PKG_CONFIG_LIBDIR": str(libraries / "pkgconfig"),
    }
    flags = run(["pkg-config", "--cflags", "--libs", "wrist"], tmp_path, **environment).split()
    assert run(["pkg-config", "--modversion", "wrist"], tmp_path, **environment) == "1.2.3\n"
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine.triplet}.{prebuilt.GLIBC}", *machine.flags]
    source = str(folder / "example/main.c")
    run([*(["cc"] if native else zig), source, *flags, "-Wall", "-Werror", "-o", "check"], tmp_path)
    (tmp_path / "check").chmod(stat.S_IRWXU)
    command = ["./check"] if native else [emulator, "-L", root, "-E", f"LD_LIBRARY_PATH={libraries}", "./check"]
    out = run(command, tmp_path, LD_LIBRARY_PATH=str(libraries) if native else os.environ.get("LD_LIBRARY_PATH", ""))
    assert out.startswith("self-test passed; window is ")


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
def test_lintian_finds_no_error(package: Write) -> None:
    deb = deb_of(package("deb"), MACHINES[0])
    done = subprocess.run(["lintian", "--allow-root", deb], capture_output=True, text=True, check=False)
    assert not re.search(r"^E:", done.stdout, re.MULTILINE), done.stdout
    # It looked: these two follow from one package holding library and header.
    assert "package-name-doesnt-match-sonames" in done.stdout


@pytest.mark.parametrize(
    ("name", "wanted"), [("wrist", "libwrist"), ("Wrist_2b", "libwrist-2b"), ("a_", "liba"), ("x__", "libx")]
)
def test_names_of_packages(name: str, wanted: str, product: Product) -> None:
    card = product.card.model_copy(update={"name": name})
    assert package_name(replace(product, card=card)) == wanted


@needs_dpkg
@pytest.mark.parametrize("description", ["...\n", "é", f"{'word ' * 12}.word {'x' * 90} .", "a: b"])
def test_descriptions_keep_the_control_file_whole(description: str, product: Product, tmp_path: Path) -> None:
    changed = replace(product, card=product.card.model_copy(update={"description": description}))
    files = find_format("deb").files(changed)
    (tmp_path / "x.deb").write_bytes(files["libwrist_1.2.3_amd64.deb"])
    text = run(["dpkg-deb", "--field", "x.deb", "Description"], tmp_path)
    assert text.splitlines()[0] == "sensor classifier wrist as a C library"
    assert "by an int8" in text
    assert run(["dpkg-deb", "--field", "x.deb", "Installed-Size"], tmp_path).strip().isdigit()


def test_members_of_odd_size_are_padded() -> None:
    for size in range(4):
        data = debian_bytes(DebianPackage("Package: x", {"usr/x": b"x" * size}, {}, "", ""))
        assert list(members(data)) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
        assert len(data) % 2 == 0


def test_without_any_compiler_one_line_says_so(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prebuilt, "_has_zig", lambda: False)
    monkeypatch.setattr(prebuilt, "this_machine", lambda: None)
    prebuilt._build_all.cache_clear()
    try:
        with pytest.raises(MissingDependency, match=r"a Debian package needs a compiler .*edgecnn\[boards\]"):
            find_format("deb").files(product)
    finally:
        prebuilt._build_all.cache_clear()
