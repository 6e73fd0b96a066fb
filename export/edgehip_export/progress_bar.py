"""The progress of a training run, one bar per fold, on standard error."""

from typing import NoReturn

from tqdm import tqdm

from edgehip_export.train import Progress


class ProgressBar:
    """Shows every epoch it is told about."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""
        fit = progress.fit
        if self._bar is None or progress.stage != self._stage:
            self.close()
            self._stage = progress.stage
            title = f"{progress.stage} ({progress.number}/{progress.of})"
            self._bar = tqdm(total=fit.epochs, desc=title, unit="epoch")
        last = fit.history[-1]
        validation = f", validation {last.validation_loss:.4g}" if fit.best_epoch else ""
        self._bar.set_postfix_str(f"loss {last.training_loss:.4g}{validation}", refresh=False)
        self._bar.n = last.number
        self._bar.refresh()

    def close(self) -> None:
        """Leave the last bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
