"""Files of published data: fetched once, continued where a download stopped, and taken as they are where they exist."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from scmi._files import written_whole
from scmi._progress import is_shown
from scmi._warnings import warn

__all__ = ["data_folder", "fetch", "is_gzip", "is_hdf5", "is_matrix_market", "is_table", "reading", "way_out"]

_TIMEOUT = 30.0
_CHUNK = 2**20
# What has come is noted after so many bytes: what a process that is killed can lose.
_NOTED = 2**24
# How far into a file is looked for what its format says.
_BEGINNING = 2**12

Check = Callable[[Path], str | None]
"""What keeps a file from being what its name says, or None: a look at its beginning, in no time."""


def data_folder(name: str, path: str | PathLike[str] | None) -> Path:
    """Where the files of a data set are or go: ``path`` itself, or a folder of that name in the cache."""
    if path is not None:
        if not isinstance(path, str | PathLike):
            raise TypeError(f"`path` must name a folder, got {path!r}.")
        folder = Path(path).expanduser()
        if folder.is_file():
            raise NotADirectoryError(f"`path` is {str(folder)!r}, a file; pass the folder that has, or will have, it.")
        return folder
    root = os.environ.get("SCMI_DATA_DIR")
    return (Path(root).expanduser() if root else Path(_optional("pooch").os_cache("scmi"))) / name


def is_gzip(file: Path) -> str | None:
    """Whether a file is of gzip."""
    return _unless_begins(file, b"\x1f\x8b", "of gzip")


def is_hdf5(file: Path) -> str | None:
    """Whether a file is of HDF5."""
    return _unless_begins(file, b"\x89HDF\r\n\x1a\n", "of HDF5")


def is_matrix_market(file: Path) -> str | None:
    """Whether a file is a gzipped Matrix Market file of coordinates."""
    wrong = is_gzip(file)
    if wrong is not None:
        return wrong
    try:
        with gzip.open(file) as opened:
            first = opened.read(_BEGINNING).partition(b"\n")[0].lower().split()
    except (OSError, EOFError, zlib.error) as error:
        return f"it can't be unpacked ({error})"
    is_one = first[:3] == [b"%%matrixmarket", b"matrix", b"coordinate"]
    return None if is_one else "it is not a sparse matrix in the Matrix Market format"


def is_table(file: Path) -> str | None:
    """Whether a file is a table with tabs between its columns."""
    begins = _beginning(file)
    is_one = b"\t" in begins.partition(b"\n")[0] and b"\0" not in begins
    return None if is_one else _instead(begins, "a table")


def fetch(url: str, file: Path, progress: bool | None, check: Check) -> Path:
    """Download a file unless it exists, and check it.

    One that was downloaded, by this function, is checked against the hash that was recorded then as well; what fails is
    downloaded again, once, and stays until something whole takes its place.

    Parameters
    ----------
    url
        Where it is published.
    file
        Where it is wanted.
    progress
        Whether to show a progress bar.
    check
        What its beginning has to look like.

    Raises
    ------
    ConnectionError
        If it can't be downloaded, or what is sent is something else.
    ValueError
        If it exists, was put there by hand, and is something else.
    """
    if not file.exists():
        _download(url, file, progress, check)
        return file
    wrong = check(file)
    recorded = _beside(file, ".sha256")
    if wrong is None and recorded.exists() and recorded.read_bytes() != _sha256(file).encode():
        wrong = f"its hash is not the one in {recorded.name}, recorded when it was downloaded"
    if wrong is None:
        return file
    if not recorded.exists():
        raise ValueError(f"{file} is not what its name says: {wrong}. {way_out(file)}")
    warn(
        f"damaged {file}",
        f"{file} is not what was to be downloaded: {wrong}. It is downloaded again. (If it was changed on purpose, "
        f"delete {recorded.name} beside it before the next change.)",
    )
    _download(url, file, progress, check, replace=True)
    return file


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Within, whatever a reader finds wrong with a file is told with its name and the way out."""
    try:
        yield
    except (ValueError, TypeError, KeyError, OSError, EOFError, OverflowError, RuntimeError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system, such as a lacking permission
            raise
        why = str(error).strip().rstrip(".") or repr(error)
        raise ValueError(f"{file} is damaged, or not what its name says: {why}. {way_out(file)}") from error


def way_out(file: Path) -> str:
    """What to do about a file that is not what it should be."""
    recorded = _beside(file, ".sha256")
    what = f"it and {recorded.name} beside it" if recorded.exists() else "it"
    return f"Delete {what} to download it when it is next wanted, or put the right file in its place."


def _unless_begins(file: Path, magic: bytes, what: str) -> str | None:
    begins = _beginning(file)
    return None if begins.startswith(magic) else _instead(begins, what)


def _instead(begins: bytes, what: str) -> str:
    if not begins:
        return "it is empty"
    page = begins.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return "it is a web page, such as servers and networks send instead of a file" if page else f"it is not {what}"


def _beginning(file: Path) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(_BEGINNING)


def _whole(file: Path, check: Check) -> str | None:
    """What keeps a file that has just come from being what it should be, to its last byte where its format can tell."""
    wrong = check(file)
    if wrong is None and is_gzip(file) is None:
        try:
            with gzip.open(file) as opened:
                while opened.read(_CHUNK):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            return f"it can't be unpacked ({error})"
    return wrong


def _optional(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f'Downloading needs {name}: `pip install ".[datasets]"` in a clone of scmi. Files that were put into a '
            "folder by hand need nothing: pass that folder as `path=`."
        ) from error


def _download(url: str, file: Path, progress: bool | None, check: Check, *, replace: bool = False) -> None:
    filelock, _ = _optional("filelock"), _optional("requests")
    from urllib3.exceptions import HTTPError

    before = _identity(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Only one process may add to the unfinished file; the others wait, and find the finished one.
    with filelock.FileLock(_beside(file, ".lock")):
        if _identity(file) != before or (file.exists() and not replace):
            return
        try:
            _Download(url, file, is_shown(progress)).run(check)
        except (OSError, HTTPError) as error:
            raise ConnectionError(
                f"Could not download {url} to {file}: {error}. Call again to go on where it stopped. Without a "
                f"network, put the file there by hand as {file.name}, or into another folder that you pass as `path=`: "
                "a file that exists is used without any download."
            ) from error


def _identity(file: Path) -> tuple[int, int, int] | None:
    """What tells a file from one that took its place."""
    if not file.exists():
        return None
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


class _Download:
    """A download that keeps what has come, and asks for the rest of the same version only.

    Beside the unfinished file it notes the version that the server named, and size and hash of what has come of it.
    """

    def __init__(self, url: str, file: Path, show: bool) -> None:
        self.url, self.file, self.show = url, file, show
        self.part = _beside(file, ".part")
        self.note = _beside(file, ".part.json")
        self.version: str | None = None
        self.hash = hashlib.sha256()

    def run(self, check: Check) -> None:
        """Have the file, whole and checked, or raise."""
        resumed = self._receive_all(self._resumable())
        wrong = _whole(self.part, check)
        if wrong is not None and resumed:  # its first half may be to blame
            self._receive_all(0)
            wrong = _whole(self.part, check)
        self.note.unlink(missing_ok=True)
        if wrong is not None:
            self.part.unlink()
            raise ConnectionError(f"what was sent is not the file: {wrong}")
        # First the hash: without it a file would count as put there by hand. One of another file is noticed.
        with written_whole(_beside(self.file, ".sha256")) as recorded:
            recorded.write_text(self.hash.hexdigest())
        os.replace(self.part, self.file)

    def _resumable(self) -> int:
        """How many bytes have come of a version that the server can be asked for, and are what they were."""
        self.hash = hashlib.sha256()
        try:
            note = json.loads(self.note.read_text())
            size, noted, self.version = int(note["size"]), str(note["sha256"]), str(note["version"])
            if size < 0:
                return 0
            with open(self.part, "r+b") as part:
                for start in range(0, size, _CHUNK):
                    self.hash.update(part.read(min(_CHUNK, size - start)))
                part.truncate(size)  # what came after the note was taken
        except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError):  # no note, or one that was damaged
            return 0
        return size if self.hash.hexdigest() == noted else 0

    def _receive_all(self, have: int) -> bool:
        """Receive the file, or what is missing; whether it was the latter."""
        import requests

        # Unencoded: what is sent as gzip would be stored unpacked under a name that ends in .gz.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(self.version)}
        with requests.get(self.url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable and have:
                return self._receive_all(0)
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            if resumed and not _starts_at(response.headers.get("Content-Range"), have):
                return self._receive_all(0)
            if not resumed:
                have, self.hash = 0, hashlib.sha256()
            self.version = _version(response.headers)
            size = response.headers.get("Content-Length")
            total = None if size is None else have + int(size)
            received = self._receive(response.raw, have, total)
        if total is not None and received != total:
            raise ConnectionError(f"the connection ended after {received:,} of {total:,} bytes")
        return resumed

    def _receive(self, stream: Any, have: int, total: int | None) -> int:
        bar = tqdm(
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            desc=self.file.name,
            disable=not self.show,
        )
        noted = have
        with bar, open(self.part, "ab" if have else "wb") as out:
            try:
                for chunk in stream.stream(_CHUNK, decode_content=False):
                    out.write(chunk)
                    self.hash.update(chunk)
                    have += len(chunk)
                    bar.update(len(chunk))
                    if have - noted >= _NOTED:
                        out.flush()
                        self._take_note(have)
                        noted = have
            finally:
                out.flush()
                self._take_note(have)
        return have

    def _take_note(self, size: int) -> None:
        if self.version is None:  # a rest of it can't be asked for
            self.note.unlink(missing_ok=True)
            return
        with written_whole(self.note) as note:
            note.write_text(json.dumps({"version": self.version, "size": size, "sha256": self.hash.hexdigest()}))


def _version(headers: Any) -> str | None:
    """What the server calls the version that it sends, if it can be asked for by that."""
    tag = headers.get("ETag", "")
    name = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
    return None if name is None else str(name)


def _starts_at(content_range: str | None, start: int) -> bool:
    """Whether what is sent is what was asked for; a server that does not say is believed."""
    return content_range is None or content_range.replace(" ", "").lower().startswith(f"bytes{start}-")


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
