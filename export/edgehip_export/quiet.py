"""Keeping the converters' chatter off the user's terminal."""

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow warnings, log lines and whatever native code prints; exceptions pass.

    The converters are written in C++ as well as Python and print below ``sys.stdout``, so the
    process's own descriptors 1 and 2 are led aside for as long as the block lasts.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    disabled = logging.root.manager.disable
    try:
        with (
            tempfile.TemporaryFile() as sink,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            for descriptor in saved:
                os.dup2(sink.fileno(), descriptor)
            yield
    finally:
        logging.disable(disabled)
        for descriptor, original in saved.items():
            os.dup2(original, descriptor)
            os.close(original)
