"""Files that are written whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

__all__ = ["written_whole"]


@contextmanager
def written_whole(path: str | PathLike[str]) -> Iterator[Path]:
    """A file to write to instead of ``path``, whose place it takes once it is complete.

    Until then ``path`` is untouched; if anything goes wrong, an interrupt included, it stays so, and nothing is left
    behind. (Only a process that is killed outright leaves a file ``.scmi-*.tmp``, which can be deleted.) The file keeps
    the permissions of the one that it replaces. Where ``path`` is a symbolic link, what it points to is replaced and
    the link stays, as by plain writing. What is no regular file, such as ``/dev/stdout``, is written to directly.

    Parameters
    ----------
    path
        Where the file is wanted.

    Raises
    ------
    OSError
        If it can't be written, with ``path`` as its file name: the disk is full, say, or its folder missing.
    """
    target = Path(os.path.realpath(path))
    try:
        # A pipe or a device has nothing to lose, and must not be replaced by a file.
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if target.exists() and not target.is_file():
            yield target
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "it is write-protected", str(path))
        temporary = target.with_name(f".scmi-{secrets.token_hex(8)}.tmp")
        try:
            open(temporary, "x").close()
            yield temporary
            if target.exists():
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
            _flush(temporary)
            os.replace(temporary, target)
        finally:
            with suppress(OSError):  # it has been renamed, or was never made
                temporary.unlink()
        with suppress(OSError):  # not every system can
            _flush(target.parent)
    except OSError as error:
        # Those of a write name no file, and others the temporary one.
        raise OSError(
            error.errno, f"Could not write it ({error.strerror or error}); what was there is untouched", str(path)
        ) from error


def _flush(path: Path) -> None:
    """Have the disk hold what was written: a rename must not outlive its content when the power fails."""
    if not path.is_dir():
        # A file object, unlike a number, is closed by Python if an interrupt strikes before it has a name. Windows
        # flushes only what is open for writing.
        with open(path, "r+b") as file:
            os.fsync(file)
        return
    folder = os.open(path, os.O_RDONLY)  # POSIX opens them only for reading
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
