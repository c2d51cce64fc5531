"""A file is written whole or not at all, and what takes its place is like it."""

import os
import random
import stat
import subprocess
import sys
import time

import pytest

from scmi._files import written_whole
from tests._interrupts import interrupted


def write(path, text):
    with written_whole(path) as file:
        file.write_text(text)


@pytest.mark.parametrize("name", ["file.npz", "file", ".file", "x" * 255, "a file ü"])
def test_a_file_is_made_and_replaced(tmp_path, name):
    for text in ("one", "two"):
        write(tmp_path / name, text)
        assert (tmp_path / name).read_text() == text
        assert os.listdir(tmp_path) == [name]


def test_a_name_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("file", "one")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("before", ["one", None])
def test_whatever_goes_wrong_leaves_what_was_there(tmp_path, error, before):
    if before:
        write(tmp_path / "file", before)
    with pytest.raises(error), written_whole(tmp_path / "file") as file:
        file.write_text("half")
        raise error
    assert os.listdir(tmp_path) == ["file"] * bool(before)
    assert not before or (tmp_path / "file").read_text() == before


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="open files can't be counted")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_the_file_whole_and_nothing_else(tmp_path):
    start = time.perf_counter()
    for _ in range(20):
        write(tmp_path / "file", "one" * 1000)
    took = (time.perf_counter() - start) / 20
    opened, moments, struck = len(os.listdir("/proc/self/fd")), random.Random(0), 0
    for _ in range(1000):
        struck += interrupted(lambda: write(tmp_path / "file", "two" * 1000), moments.uniform(1e-6, took))
        assert (tmp_path / "file").read_text() in ("one" * 1000, "two" * 1000)
        assert os.listdir(tmp_path) == ["file"]
    assert struck > 100
    # 16 stayed open when files were flushed by number; of folders, which can't be otherwise, 0 to 5 do.
    assert len(os.listdir("/proc/self/fd")) <= opened + 10


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "file", "one")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
        (tmp_path / "file").chmod(0o604)
        write(tmp_path / "file", "two")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk/file")
    for text in ("one", "two"):  # first of a file that isn't there yet
        write(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "disk" / "file").read_text() == text
    assert sorted(os.listdir(tmp_path)) == ["disk", "link"] and os.listdir(tmp_path / "disk") == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="there is no such device")
def test_devices_are_written_to():
    write("/dev/null", "text")
    assert not stat.S_ISREG(os.stat("/dev/null").st_mode)
    with pytest.raises(OSError, match="/dev/full"):
        write("/dev/full", "text")


def test_errors_name_the_file(tmp_path):
    (tmp_path / "file").write_text("text")
    for path, error in (
        (tmp_path / "folder" / "file", FileNotFoundError),
        (tmp_path / "file" / "file", NotADirectoryError),
        (tmp_path, IsADirectoryError),
        (tmp_path / ("x" * 256), OSError),
    ):
        with pytest.raises(error, match="Could not write it") as found:
            write(path, "text")
        assert found.value.filename == str(path) and str(path) in str(found.value)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="becomes another user")
def test_what_is_write_protected_stays(tmp_path):
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(0o755)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "file").chmod(0o444)
    script = f"""
import os
from scmi._files import written_whole
os.setuid(65534)
try:
    with written_whole({str(tmp_path / "file")!r}) as file:
        file.write_text("theirs")
except PermissionError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "write-protected" in done.stdout
    assert (tmp_path / "file").read_text() == "mine"
