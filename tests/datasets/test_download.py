"""What these tests hold of downloads.

- A file is downloaded once; one that exists, however it came there, is used without any request and without pooch.
- Half a file never counts as one. The next call asks for the rest only, of the same version only; a server that knows
  no ranges, or has changed the file, sends it whole.
- What is stored is what the server has, byte for byte, also where it declares the file's own compression.
- Several processes that share a folder download a file once.
- Whatever fails names the address, the folder and the way out, and leaves no file.
- What is sent is checked before it counts as the file: a web page, or half a gzip file, never does.
- Half a file that was damaged meanwhile is not gone on from.
- A downloaded file that is not what it was, or never was what it should be, is downloaded again, and stays until then.
  One put there by hand is never touched.
"""

import gzip
import hashlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scmi.datasets import _download
from scmi.datasets._download import data_folder, is_gzip, is_hdf5, is_matrix_market, is_table, reading

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
CONTENT = np.random.default_rng(0).bytes(100_000)


def fetch(url, file, progress, check=lambda file: None):
    return _download.fetch(url, file, progress, check)


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
    # All of it was noted, but for its place.
    note = json.loads(part.with_name(part.name + ".json").read_text())
    note |= {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    part.with_name(part.name + ".json").write_text(json.dumps(note))
    server.cut = None
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_process_that_was_killed_loses_what_was_not_noted(server, url, file):
    server.cut = 60_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    (part,) = file.parent.glob("*.part")
    part.write_bytes(part.read_bytes() + b"half a block")
    server.cut = None
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=60000-"]


@pytest.mark.parametrize("damage", ["flipped", "short", "note", "no JSON", "no note", "Infinity", "-1"])
def test_a_damaged_half_is_not_gone_on_from(server, url, file, damage):
    server.cut = 60_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    (part,) = file.parent.glob("*.part")
    note = part.with_name(part.name + ".json")
    if damage == "flipped":
        part.write_bytes(b"?" + part.read_bytes()[1:])
    elif damage == "short":
        part.write_bytes(part.read_bytes()[:-5])
    elif damage == "no note":
        note.unlink()
    elif damage in ("Infinity", "-1"):
        note.write_text(note.read_text().replace('"size": 60000', f'"size": {damage}'))
        assert damage in note.read_text()
    else:
        note.write_text("[1]" if damage == "note" else "{")
    server.cut = None
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, None]


def test_a_rest_that_starts_elsewhere_is_not_taken(server, url, file):
    server.cut = 60_000
    with pytest.raises(ConnectionError):
        fetch(url, file, False)
    server.cut, server.shift = None, 7
    fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=60000-", None]


def test_halves_that_make_no_whole_are_fetched_anew(server, file):
    """As where a server does not change a file's tag with its content."""
    first, second = gzip.compress(CONTENT), gzip.compress(CONTENT[::-1])
    server.files["/data.gz"], server.cut = first, 60_000
    with pytest.raises(ConnectionError):
        fetch(server.url + "data.gz", file, False, is_gzip)
    server.files["/data.gz"], server.cut = second, None
    (note,) = file.parent.glob("*.part.json")
    note.write_text(note.read_text().replace(hashlib.md5(first).hexdigest(), hashlib.md5(second).hexdigest()))
    fetch(server.url + "data.gz", file, False, is_gzip)
    assert file.read_bytes() == second
    assert ranges(server) == [None, "bytes=60000-", None]


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


@pytest.mark.parametrize("missing", ["requests", "filelock"])
def test_without_what_downloads(monkeypatch, file, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf'needs {missing}: `pip install "\.\[datasets\]"` in a clone of'):
        fetch("http://127.0.0.1:1/data.bin", file, False)


def test_a_change_on_disk_is_mended(server, url, file):
    fetch(url, file, False)
    file.write_bytes(CONTENT[:-1] + b"?")
    with pytest.warns(UserWarning, match=r"data\.bin is not what was to be downloaded: its hash.*downloaded again"):
        fetch(url, file, False)
    assert file.read_bytes() == CONTENT
    assert ranges(server) == [None, None]


@pytest.mark.parametrize("damage", [b"", b"f23c\xb5", b"0" * 64])
def test_a_damaged_record_of_the_hash_is_mended(server, url, file, damage):
    fetch(url, file, False)
    recorded = file.with_name("data.bin.sha256")
    whole = recorded.read_bytes()
    recorded.write_bytes(damage)
    with pytest.warns(UserWarning, match="its hash is not the one in data.bin.sha256.*downloaded again"):
        fetch(url, file, False)
    assert (file.read_bytes(), recorded.read_bytes()) == (CONTENT, whole)


def test_a_change_that_was_meant_stays(server, url, file):
    fetch(url, file, False)
    file.with_name("data.bin.sha256").unlink()
    file.write_bytes(b"mine")
    assert fetch(url, file, False).read_bytes() == b"mine"


def test_what_is_damaged_stays_until_there_is_something_better(server, url, file):
    fetch(url, file, False)
    file.write_bytes(b"half")
    server.files.clear()
    with pytest.warns(UserWarning, match="downloaded again"), pytest.raises(ConnectionError, match="404"):
        fetch(url, file, False)
    assert file.read_bytes() == b"half"
    server.files["/data.bin"] = CONTENT
    with pytest.warns(UserWarning, match="downloaded again"):
        fetch(url, file, False)
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (PAGE, "a web page"),
        (b"", "is empty"),
        (b"text", "not of gzip"),
        (gzip.compress(CONTENT)[:-100], "can't be unpacked"),
        (gzip.compress(CONTENT)[:5000] + b"?" + gzip.compress(CONTENT)[5001:], "can't be unpacked"),
    ],
)
def test_what_is_no_such_file_is_not_kept(server, file, sent, why):
    server.files["/data.gz"] = sent
    url = server.url + "data.gz"
    with pytest.raises(ConnectionError, match=f"what was sent is not the file: .*{why}") as error:
        fetch(url, file, False, is_gzip)
    assert url in str(error.value) and str(file) in str(error.value)
    assert [left.name for left in file.parent.iterdir()] in ([], ["data.bin.lock"])
    server.files["/data.gz"] = gzip.compress(CONTENT)
    fetch(url, file, False, is_gzip)


def test_a_page_that_was_cached_before_is_replaced(server, file):
    """With a hash of its own, as this package once recorded it."""
    server.files["/data.gz"] = packed = gzip.compress(CONTENT)
    file.parent.mkdir()
    file.write_bytes(PAGE)
    file.with_name("data.bin.sha256").write_text(hashlib.sha256(PAGE).hexdigest())
    with pytest.warns(UserWarning, match="a web page.*downloaded again"):
        fetch(server.url + "data.gz", file, False, is_gzip)
    assert file.read_bytes() == packed
    assert fetch(server.url + "data.gz", file, False, is_gzip) == file
    assert ranges(server) == [None]


def test_what_was_put_there_by_hand_is_never_replaced(server, url, file):
    file.parent.mkdir()
    file.write_bytes(PAGE)
    with pytest.raises(ValueError, match=r"data\.bin is not what its name says: .*web page.* Delete it to download"):
        fetch(url, file, False, is_gzip)
    assert file.read_bytes() == PAGE and not server.asked


def test_formats(tmp_path):
    file = tmp_path / "file"
    matrix = b"%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1\n"
    packed = gzip.compress(CONTENT)
    right = {is_gzip: packed, is_hdf5: b"\x89HDF\r\n\x1a\n", is_table: b"a\tb\n"}
    right[is_matrix_market] = gzip.compress(matrix)
    for check, content in right.items():
        file.write_bytes(content)
        assert check(file) is None
        wrongs = [b"", PAGE, b"text", packed[:4], packed, gzip.compress(matrix.replace(b"coordinate", b"array"))]
        for wrong in wrongs if check is not is_gzip else wrongs[:3]:
            file.write_bytes(wrong)
            assert check(file)


def test_errors_of_readers_name_the_file(tmp_path):
    for error in (
        KeyError("a"),
        EOFError(),
        gzip.BadGzipFile("no"),
        RuntimeError("no"),
        UnicodeDecodeError("u", b"", 0, 1, "?"),
    ):
        with pytest.raises(ValueError, match="file is damaged, or not what its name says: .* Delete it") as found:
            with reading(tmp_path / "file"):
                raise error
        assert str(tmp_path / "file") in str(found.value)
    with pytest.raises(PermissionError), reading(tmp_path / "file"):
        raise PermissionError(13, "no")


@pytest.mark.slow
def test_processes_that_share_a_folder(server, url, file):
    script = f"""
from pathlib import Path
from scmi.datasets._download import fetch
print(len(fetch({url!r}, Path({str(file)!r}), False, lambda file: None).read_bytes()))
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
