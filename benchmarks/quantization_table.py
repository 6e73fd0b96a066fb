"""One line per exported file."""

from edgehip_export.export_model import Exported, Form

LAYOUT = "{:<18}{:<6}{:<7}{:<12}{:>7}{:>6}{:>9}{:>9}{:>9}{:>10}{:>10}{:>8}  {}"
HEADER = LAYOUT.format(
    "network",
    "form",
    "file",
    "precision",
    "KiB",
    "size",
    "max",
    "error",
    "R² loss",
    "p50 (µs)",
    "p99 (µs)",
    "torch",
    "written, by",
)


def line(network: str, form: Form, exported: Exported, torch_us: float) -> str:
    """Return a file's line; ``torch`` is how many times longer PyTorch's own call takes."""
    parity, suffix = exported.parity, exported.path.suffix[1:]
    if parity is None:
        empty = [""] * 8
        return LAYOUT.format(
            network, form, suffix, exported.precision, *empty, f"no: {exported.refusal}"
        )
    return LAYOUT.format(
        network,
        form,
        suffix,
        exported.precision,
        f"{parity.size_bytes / 1024:.0f}",
        f"{parity.size_ratio:.0%}",
        f"{max(parity.max_error.values()):.2g}",
        f"{parity.normalised_error:.2%}",
        f"{max(accuracy.r2_loss for accuracy in parity.accuracy.values()):+.4f}",
        f"{parity.latency_us_p50:.1f}",
        f"{parity.latency_us_p99:.1f}",
        f"{torch_us / parity.latency_us_p50:.1f}x",
        parity.engine if exported.refusal is None else f"no: {exported.refusal}",
    )
