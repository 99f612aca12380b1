"""What goes wrong at every try is said when it begins and once it is over, and not at every try."""

import logging
from dataclasses import dataclass


@dataclass
class Trouble:
    """One thing that is tried again and again; `what` says what does not go on meanwhile."""

    log: logging.Logger
    what: str
    _is_told: bool = False

    def goes_on(self, error: Exception) -> None:
        """It has failed once more."""
        if not self._is_told:
            self.log.warning("%s: %s", self.what, " ".join(str(error).split()))
        self._is_told = True

    def is_over(self) -> None:
        """It has gone well."""
        if self._is_told:
            self.log.warning("%s: that is over", self.what)
        self._is_told = False
