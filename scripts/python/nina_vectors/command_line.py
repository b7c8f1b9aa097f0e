"""What the commands of this package share: how they speak, and how they end."""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from .errors import NinaError, UsageError

INTERRUPTED = 130
# Of a name that is mistyped or may not be used, so that the same command would fail again.
WRONG_NAME = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM,
              errno.EROFS}


def say(sentence: str) -> None:
    print(f"nina_vectors: {sentence}", file=sys.stderr)


def run(work: Callable[[], None], out: Path) -> int:
    """Does the work; what fails becomes a sentence on standard error. Returns the exit status. An error without a file's
    name is said to be of `out`."""
    warnings.showwarning = lambda message, *rest, **more: say(str(message))
    try:
        work()
    except NinaError as error:
        say(str(error))
        return error.status
    except OSError as error:
        wrong = f"{error.filename or out}: {error.strerror or error}"
        if error.errno in WRONG_NAME:
            say(wrong)
            return UsageError.status
        say(f"{wrong}; start the same command again to go on")
        return NinaError.status
    except KeyboardInterrupt:
        say("stopped; start the same command again to go on")
        return INTERRUPTED
    return 0
