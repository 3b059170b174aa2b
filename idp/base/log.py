"""Log lines: one line an event, `name key=value …` on stderr. Values are quoted so that foreign input cannot forge a line."""

import logging
import sys
from json.encoder import encode_basestring_ascii as _quoted


def set_up(level: str = "INFO") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("idp")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False


def event(logger: logging.Logger, name: str, level: int = logging.INFO, /, **values: object) -> None:
    """Never pass a secret: what is given here is written."""
    if logger.isEnabledFor(level):
        said = [f"{key}={_quoted(str(value))}" for key, value in values.items() if value is not None]
        logger.log(level, "%s %s", name, " ".join(said))
