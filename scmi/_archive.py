"""Arrays and JSON in one file without code: an ``.npz`` that is checked before any of it is used."""

import hashlib
import io
import json
import math
import re
import struct
import zipfile
from collections.abc import Collection, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ._files import written_whole
from ._version import __version__

__all__ = ["META", "Archive", "Node", "read_archive", "write_archive"]

META = "meta"
CHECKSUM = "checksum"
NPY = ".npy"

Arrays = dict[str, NDArray[Any]]

# As NumPy writes it for plain arrays of numbers and text. Anything else, such as records or Python objects, is refused
# before it is looked at.
_HEADER = re.compile(
    rb"\{'descr': '([<>|](?:b1|[iu][1248]|f[248]|U\d{1,9}))', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}, )*(?:\d{1,15},?)?)\), \} *\n"
)
_MAGIC = b"\x93NUMPY\x01\x00"
# Zip's flags of members that are encrypted or patched.
_CODED = 0x1 | 0x20 | 0x40
# What reading a zip file from memory raises if it is damaged. A plain OSError isn't among these: memory has none.
_UNREADABLE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OverflowError, struct.error)


def write_archive(path: str | PathLike[str], meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Write arrays, what JSON can hold, and a checksum of both; the file is written whole or not at all."""
    text = json.dumps(meta)
    content = {META: np.array(text), **arrays}
    content[CHECKSUM] = np.array(_checksum(content))
    with written_whole(path) as file, open(file, "wb") as opened:
        archive = zipfile.ZipFile(opened, "w", zipfile.ZIP_STORED, allowZip64=True)
        try:
            for name, values in content.items():
                with archive.open(name + NPY, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(values), version=(1, 0), allow_pickle=False)
            archive.close()
        except BaseException:
            archive.fp = None  # or it would try to end a file that has no end, now and when it is forgotten
            raise


def read_archive(path: str | PathLike[str], form: str, version: int, wrote: str) -> "Archive":
    """Read what :func:`write_archive` wrote. No code is run, and nothing is taken on trust.

    Parameters
    ----------
    path
        File to read.
    form, version
        What the JSON must say of itself.
    wrote
        What wrote it, for messages.

    Raises
    ------
    ValueError
        If the file was written by something else or by another version, or is damaged.
    OSError
        If it can't be read.
    """
    content = Path(path).read_bytes()
    archive = Archive(path, wrote)
    if not content.startswith(b"PK"):
        archive.refuse(f"it was not written by {wrote}")
    members = _members(content, archive)
    if META not in members:
        archive.refuse(f"it was not written by {wrote}")
    archive.meta = _parse_meta(_array(META, members.pop(META), archive), archive)
    if archive.meta.get("format") != form:
        archive.refuse(f"it was not written by {wrote}")
    written = archive.root.integer("version", 0)
    if written != version:
        raise ValueError(
            f"{path} is of version {written}, written by scmi {archive.meta.get('scmi')!s:.20}; this is scmi "
            f"{__version__}, which reads version {version}. {'Update scmi.' if written > version else 'Fit again.'}"
        )
    archive.arrays = {name: _array(name, member, archive) for name, member in members.items()}
    stored = archive.arrays.pop(CHECKSUM, None)
    if stored is None or str(stored) != _checksum({META: np.array(archive.text), **archive.arrays}):
        archive.refuse("it is damaged: its content is not what its checksum was made from")
    return archive


class Archive:
    """What a file holds, handed out piece by piece, each checked; every error names the file.

    Parameters
    ----------
    path
        The file.
    wrote
        What writes such files.
    """

    meta: dict[str, Any]
    text: str
    arrays: Arrays

    def __init__(self, path: str | PathLike[str], wrote: str) -> None:
        self._path, self._wrote = path, wrote

    def refuse(self, why: str) -> NoReturn:
        """Raise for what can't be."""
        raise ValueError(
            f"{self._path} can't be loaded: {why}. Fetch it again from where it came, or write it anew by "
            f"{self._wrote}."
        )

    @property
    def root(self) -> "Node":
        """The JSON."""
        return Node(self.meta, META, self)

    def take(self, name: str, dtype: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """An array, once: of a dtype (``"int"`` for any integers, ``"number"`` for these or doubles) and shape.

        None in the shape stands for any length.
        """
        if name not in self.arrays:
            self.refuse(f"the array {name!r} is missing")
        values = self.arrays.pop(name)
        if dtype == "number":
            dtype = "int" if values.dtype.kind == "i" else "f8"
        # Of integers any size will do, since all mean the same.
        wanted = np.dtype(np.int64 if dtype == "int" else dtype)
        matches = values.dtype.kind == "i" if dtype == "int" else values.dtype.newbyteorder("=") == wanted
        fits = values.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, values.shape, strict=True))
        if not (matches and fits):
            expected = f"{dtype} of shape ({', '.join('any' if n is None else str(n) for n in shape)})"
            self.refuse(f"the array {name!r} is {values.dtype} of shape {values.shape}, not {expected}")
        return values.astype(wanted, copy=False)

    def numbers(
        self, name: str, dtype: str, shape: tuple[int | None, ...], *, least: float = -math.inf, most: float = math.inf
    ) -> NDArray[Any]:
        """An array without missing or infinite values, none of them out of bounds."""
        values = self.take(name, dtype, shape)
        if not np.isfinite(values).all():
            self.refuse(f"the array {name!r} has missing or infinite values")
        if values.size and (values.min() < least or values.max() > most):
            self.refuse(f"the array {name!r} has values below {least} or above {most}")
        return values

    def check_all_taken(self) -> None:
        """Raise for arrays that nobody asked for."""
        if self.arrays:
            self.refuse(f"{len(self.arrays)} arrays do not belong there, the first {next(iter(self.arrays))!r}")


class Node:
    """An object of the JSON, whose values are handed out by the type that they must have."""

    def __init__(self, values: object, where: str, archive: Archive) -> None:
        self._where, self._archive = where, archive
        if not isinstance(values, dict):
            self.refuse(f"`{where}` is {values!r:.50}, not an object")
        self.values: dict[str, Any] = values

    def refuse(self, why: str) -> NoReturn:
        """Raise for what can't be."""
        self._archive.refuse(why)

    def get(self, name: str) -> Any:
        """A value of any type."""
        if name not in self.values:
            self.refuse(f"`{self._where}` lacks {name!r}")
        return self.values[name]

    def check_names(self, names: Collection[str]) -> None:
        """Raise unless these are the names, in any order."""
        if set(self.values) != set(names):
            self.refuse(f"`{self._where}` has {sorted(self.values)}, not {sorted(names)}")

    def node(self, name: str) -> "Node":
        """An object."""
        return Node(self.get(name), f"{self._where}.{name}", self._archive)

    def nodes(self, name: str) -> Iterator["Node"]:
        """Objects in a list that isn't empty."""
        values = self._list(name)
        if not values:
            self.refuse(f"`{self._where}.{name}` is empty")
        return (Node(value, f"{self._where}.{name}[{i}]", self._archive) for i, value in enumerate(values))

    def integer(self, name: str, least: int, most: float = math.inf) -> int:
        """An integer within bounds."""
        return self._integer(self.get(name), name, least, most)

    def integers(self, name: str, least: int) -> list[int]:
        """A list of integers."""
        return [self._integer(value, name, least, math.inf) for value in self._list(name)]

    def number(self, name: str, *, missing: bool = False) -> float:
        """A finite number, or perhaps NaN."""
        value = self.get(name)
        # Integers beyond these have no exact double.
        is_number = isinstance(value, float) or (type(value) is int and abs(value) < 2**53)
        if not is_number or math.isinf(value) or (math.isnan(value) and not missing):
            self.refuse(f"`{self._where}.{name}` is {value!r:.50}, not a number")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or False."""
        value = self.get(name)
        if not isinstance(value, bool):
            self.refuse(f"`{self._where}.{name}` is {value!r:.50}, not true or false")
        return value

    def text(self, name: str, choices: Collection[str] = ()) -> str:
        """A text, perhaps one of some."""
        return self._text(self.get(name), name, choices)

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        return [self._text(value, name, ()) for value in self._list(name)]

    def _list(self, name: str) -> list[Any]:
        values = self.get(name)
        if not isinstance(values, list):
            self.refuse(f"`{self._where}.{name}` is {values!r:.50}, not a list")
        return values

    def _integer(self, value: object, name: str, least: int, most: float) -> int:
        if type(value) is not int or not least <= value <= most:
            bounds = f"from {least}" + ("" if math.isinf(most) else f" to {most:g}")
            self.refuse(f"`{self._where}.{name}` has {value!r:.50}, not an integer {bounds}")
        return value

    def _text(self, value: object, name: str, choices: Collection[str]) -> str:
        if not isinstance(value, str) or (choices and value not in choices):
            self.refuse(f"`{self._where}.{name}` has {value!r:.50}, not {' or '.join(map(repr, choices)) or 'a text'}")
        return value


def _members(content: bytes, archive: Archive) -> dict[str, bytes]:
    """What each member of a zip file holds."""
    try:
        file = zipfile.ZipFile(io.BytesIO(content))
    except _UNREADABLE as error:
        archive.refuse(f"it is cut off or damaged ({error})")
    found = file.infolist()
    # Members are stored unpacked. One that claims to be larger than it is, or all to be larger than the file, is a
    # fraud that would fill the memory.
    as_written = all(
        member.compress_type == zipfile.ZIP_STORED
        and not member.flag_bits & _CODED
        and member.file_size == member.compress_size
        for member in found
    )
    if not as_written or sum(member.file_size for member in found) > len(content):
        archive.refuse("it was packed anew, or claims to hold more than it has")
    names = [member.filename.removesuffix(NPY) for member in found]
    if len(set(names)) < len(names):
        archive.refuse("it holds something twice")
    try:
        return {name: file.read(member) for name, member in zip(names, found, strict=True)}
    except _UNREADABLE as error:
        archive.refuse(f"it is cut off or damaged ({error})")


def _array(name: str, data: bytes, archive: Archive) -> NDArray[Any]:
    """An array of numbers or text, its header read without evaluating it."""
    start = len(_MAGIC) + 2
    end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    header = _HEADER.fullmatch(data[start:end]) if data.startswith(_MAGIC) else None
    if header is None:
        archive.refuse(f"{name!r} is not an array of numbers or text")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(n) for n in header[3].decode().split(",") if n.strip())
    if math.prod(shape) * dtype.itemsize != len(data) - end:
        archive.refuse(f"the array {name!r} is not of the size that it claims")
    values = np.frombuffer(data, dtype, offset=end) if len(data) > end else np.empty(0, dtype)
    # A copy, because memory that belongs to bytes can't be written to.
    return values.reshape(shape, order="F" if header[2] == b"True" else "C").copy(order="K")


def _parse_meta(text: NDArray[Any], archive: Archive) -> dict[str, Any]:
    try:
        # Not by str(), to which NumPy's text that is no Unicode is an error of the interpreter.
        archive.text = text.tobytes().decode("utf-32-be" if text.dtype.str[0] == ">" else "utf-32-le")
        meta = json.loads(archive.text)
    except (ValueError, RecursionError) as error:  # text that is no Unicode, or no JSON, or endlessly nested
        archive.refuse(f"its description can't be read ({error})")
    if not isinstance(meta, dict):
        archive.refuse("its description is no JSON object")
    return meta


def _checksum(content: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name, values in sorted(content.items()):
        found.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()
