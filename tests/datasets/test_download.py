"""What these tests hold of downloads.

- A file is downloaded once; one that exists, however it came there, is used without any request and without pooch.
- Half a file never counts as one. The next call asks for the rest only, of the same version only; a server that knows
  no ranges, or has changed the file, sends it whole.
- What is stored is what the server has, byte for byte, also where it declares the file's own compression.
- Several processes that share a folder download a file once.
- Whatever fails names the address, the folder and the way out, and leaves no file.
- A file that changed on disk since it was downloaded is noticed.
"""

import gzip
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scmi.datasets._download import data_folder, fetch

CONTENT = np.random.default_rng(0).bytes(100_000)


@pytest.fixture
def url(server):
    server.files["/data.bin"] = CONTENT
    return server.url + "data.bin"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "data.bin"


def ranges(server):
    return [asked for _, asked in server.asked]


def test_a_file_is_downloaded_once(server, url, file):
    assert fetch(url, file, False) == file
    assert file.read_bytes() == CONTENT
    assert fetch(url, file, False) == file
    assert ranges(server) == [None]
    assert {left.name for left in file.parent.iterdir()} <= {"data.bin", "data.bin.sha256", "data.bin.lock"}


def test_a_cut_download_goes_on_where_it_stopped(server, url, file):
    server.cut = 60_000
    with pytest.raises(ConnectionError, match="60,?000.*Call again to go on"):
        fetch(url, file, False)
    assert not file.exists()
    server.cut = 30_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    server.cut = None
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=60000-", "bytes=90000-"]


def test_halves_of_two_versions_are_never_joined(server, url, file):
    server.cut = 60_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    server.cut, server.files["/data.bin"] = None, CONTENT[::-1]
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_sends_it_whole(server, url, file):
    server.cut = 60_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    server.cut, server.ranges = None, False
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT


def test_a_process_that_died_with_the_last_byte(server, url, file):
    server.cut = 60_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    (part,) = file.parent.glob("*.part")
    part.write_bytes(CONTENT)
    server.cut = None
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", None]


def test_compressed_files_stay_compressed(server, file):
    server.files["/data.bin"] = packed = gzip.compress(CONTENT)
    server.encoding = "gzip"
    assert fetch(server.url + "data.bin", file, False).read_bytes() == packed


def test_a_missing_file(server, file):
    with pytest.raises(ConnectionError, match="404"):
        fetch(server.url + "nothing", file, False)
    assert not file.exists()


def test_offline(file):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/data.bin"
    with pytest.raises(ConnectionError) as error:
        fetch(url, file, False)
    for part in (url, str(file.parent), "by hand as data.bin", "`path=`"):
        assert part in str(error.value)
    assert not file.exists()


def test_files_put_there_by_hand_need_neither_network_nor_pooch(monkeypatch, file):
    for name in ("pooch", "filelock", "requests"):
        monkeypatch.setitem(sys.modules, name, None)
    file.parent.mkdir()
    file.write_bytes(CONTENT)
    assert fetch("http://127.0.0.1:1/data.bin", file, False) == file


@pytest.mark.parametrize("missing", ["pooch", "filelock"])
def test_without_pooch(monkeypatch, file, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"needs {missing}: `pip install 'scmi\[datasets\]'`"):
        fetch("http://127.0.0.1:1/data.bin", file, False)


def test_a_change_on_disk_is_noticed(server, url, file):
    fetch(url, file, False)
    file.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ValueError, match=r"is not what was downloaded.*data\.bin\.sha256"):
        fetch(url, file, False)


def test_processes_that_share_a_folder(server, url, file):
    script = f"""
from pathlib import Path
from scmi.datasets._download import fetch
print(len(fetch({url!r}, Path({str(file)!r}), False).read_bytes()))
"""
    # The first answer waits until the second process is at the door, or long enough for it to have asked as well.
    started = []
    server.before = lambda: started.append(time.sleep(1.0))
    processes = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["100000", "100000"]
    assert ranges(server) == [None]
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("shown", [True, False])
def test_progress_has_a_switch(server, url, file, capsys, shown):
    fetch(url, file, shown)
    assert ("data.bin: 100%" in capsys.readouterr().err) == shown


def test_folders(monkeypatch, tmp_path):
    import pooch

    monkeypatch.delenv("SCMI_DATA_DIR", raising=False)
    assert data_folder("larry", None) == Path(pooch.os_cache("scmi")) / "larry"
    monkeypatch.setenv("SCMI_DATA_DIR", str(tmp_path))
    assert data_folder("larry", None) == tmp_path / "larry"
    assert data_folder("larry", tmp_path / "mine") == tmp_path / "mine"
