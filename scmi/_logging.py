"""The package's logger. No handler is attached and no level set: that is the application's choice."""

import logging

logger = logging.getLogger("scmi")
