"""The progress of a training run, one bar per fold, on standard error."""

import sys
from typing import NoReturn

from tqdm import tqdm

from edgehip_export.train import Progress


class ProgressBar:
    """Shows every stage and epoch it is told about."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None
        self._begun = False

    def begin(self, progress: Progress) -> None:
        """Show a stage that begins now, or goes on."""
        self.close()
        fit = progress.fit
        passed = len(fit.history)
        if not self._begun and (passed or progress.number > 1):
            epoch = min(passed + 1, fit.epochs)
            tqdm.write(f"goes on at {progress.stage}, epoch {epoch}", file=sys.stderr)
        self._begun = True
        title = f"{progress.stage} ({progress.number}/{progress.of})"
        self._bar = tqdm(total=fit.epochs, initial=passed, desc=title, unit="epoch")

    def show(self, progress: Progress) -> None:
        """Show where the stage stands, after an epoch of it."""
        assert self._bar is not None
        fit = progress.fit
        last = fit.history[-1]
        validation = f", validation {last.validation_loss:.4g}" if fit.best_epoch else ""
        self._bar.set_postfix_str(f"loss {last.training_loss:.4g}{validation}", refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the last bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
