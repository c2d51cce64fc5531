"""The package's logger. No handler is attached and no level set: that is the application's choice, or Scanpy's.

Tools say one line per call at level "info". Who has turned the logger "scmi" on hears it there, and only there.
Elsewhere Scanpy's verbosity governs, as it does for Scanpy's own tools, if Scanpy is in use.
"""

import logging
import sys
from typing import Any

__all__ = ["logger"]


class _SpeaksAsScanpy(logging.LoggerAdapter[logging.Logger]):
    """A logger whose infos appear among those of Scanpy where ``sc.settings.verbosity`` asks for them."""

    def info(self, msg: object, *args: object, **options: Any) -> None:
        # Not imported for the sake of a line: who has set its verbosity has imported it.
        scanpy = sys.modules.get("scanpy")
        if self.isEnabledFor(logging.INFO) or not hasattr(scanpy, "logging"):
            self.logger.info(msg, *args, stacklevel=2, **options)
        elif scanpy is not None:
            scanpy.logging.info(str(msg) % args)


logger = _SpeaksAsScanpy(logging.getLogger("scmi"), {})
