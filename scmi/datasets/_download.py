"""Files of published data: fetched once, continued where a download stopped, and taken as they are where they exist."""

import hashlib
import os
from os import PathLike
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from scmi._progress import is_shown

__all__ = ["data_folder", "fetch"]

_TIMEOUT = 30.0
_CHUNK = 2**20


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


def fetch(url: str, file: Path, progress: bool | None) -> Path:
    """Download a file unless it exists, and check it against the hash recorded when it was downloaded, if it was."""
    if not file.exists():
        _download(url, file, progress)
    recorded = _beside(file, ".sha256")
    if recorded.exists() and recorded.read_text() != _sha256(file):
        raise ValueError(
            f"{file} is not what was downloaded: its hash differs from the one in {recorded.name} beside it. Delete "
            "both to download it again, or only the latter if the change was meant."
        )
    return file


def _optional(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Downloading needs {name}: `pip install 'scmi[datasets]'`. Files that were put into a folder by hand need "
            "nothing: pass that folder as `path=`."
        ) from error


def _download(url: str, file: Path, progress: bool | None) -> None:
    pooch, filelock = _optional("pooch"), _optional("filelock")
    from urllib3.exceptions import HTTPError

    file.parent.mkdir(parents=True, exist_ok=True)
    # Only one process may add to the unfinished file; the others wait, and find the finished one.
    with filelock.FileLock(_beside(file, ".lock")):
        if file.exists():
            return
        cache = pooch.create(path=file.parent, base_url="", registry={file.name: None}, urls={file.name: url})
        try:
            cache.fetch(file.name, downloader=_Resuming(file, is_shown(progress)))
        except (OSError, HTTPError) as error:
            raise ConnectionError(
                f"Could not download {url} to {file.parent}: {error}. Call again to go on where it stopped. Without a "
                f"network, put the file there by hand as {file.name}, or into another folder that you pass as `path=`: "
                "a file that exists is used without any download."
            ) from error


class _Resuming:
    """A downloader for pooch that keeps what has come, and asks for the rest of the same version only."""

    def __init__(self, file: Path, show: bool) -> None:
        self.file = file
        self.show = show
        self.part = _beside(file, ".part")
        self.version = _beside(file, ".part.version")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        have = self.part.stat().st_size if self.part.exists() and self.version.exists() else 0
        # Unencoded: what is sent as gzip would be stored unpacked under a name that ends in .gz.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": self.version.read_text()}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.version.unlink()
                return self(url, output_file, pooch)
            response.raise_for_status()
            have = have if response.status_code == requests.codes.partial_content else 0
            self._note_version(response.headers)
            size = response.headers.get("Content-Length")
            total = None if size is None else have + int(size)
            self._receive(response.raw, have, total)
        received = self.part.stat().st_size
        if total is not None and received != total:
            raise ConnectionError(f"the connection ended after {received:,} of {total:,} bytes")
        _beside(self.file, ".sha256").write_text(_sha256(self.part))
        self.version.unlink(missing_ok=True)
        os.replace(self.part, output_file)

    def _note_version(self, headers: Any) -> None:
        tag = headers.get("ETag", "")
        version = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
        if version:
            self.version.write_text(version)
        else:
            self.version.unlink(missing_ok=True)

    def _receive(self, stream: Any, have: int, total: int | None) -> None:
        bar = tqdm(
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            desc=self.file.name,
            disable=not self.show,
        )
        with bar, open(self.part, "ab" if have else "wb") as out:
            for chunk in stream.stream(_CHUNK, decode_content=False):
                out.write(chunk)
                bar.update(len(chunk))


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
