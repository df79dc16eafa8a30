"""The command `export`."""

from firstlight.commands.trained.job import choosing, job_of_run, run_trained


def main() -> None:
    """Entry point of scripts/export.py: write a trained network to a file that runs without firstlight."""
    check = choosing(format=("onnx", "torch_export"), quantize=("int8",))
    run_trained("export", job_of_run("firstlight.runs.export.exporter.export", check))
