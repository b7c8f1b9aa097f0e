"""scripts/slurm.sbatch without Slurm, and with a launcher that fails: what is refused before anything starts."""

import os
import subprocess
from pathlib import Path

import pytest

from program import ROOT, USAGE

SCRIPT = ROOT / "scripts" / "slurm.sbatch"


def start_alone(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    launcher = folder / "bin" / "mpirun"
    launcher.parent.mkdir()
    launcher.write_text("#!/bin/sh\necho launched\nexit 1\n")
    launcher.chmod(0o755)
    variables = {"PATH": f"{launcher.parent}:{os.environ['PATH']}", "SLURM_JOB_ID": "1", "OUT": "out"}
    return subprocess.run(["bash", SCRIPT, *options], env=variables, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("options", [
    ["--overwrite"],
    ["--overw"],
    ["--config", "a.ini"],
    ["--conf=a.ini"],
    ["--co", "a.ini"],
    ["--co=a.ini"],
    ["--config", "b.ini", "--config=a.ini"],
    ["--config", "eval.ini", "--config", "plain.ini"],
    ["--config", "key=value.ini"],
])  # fmt: skip
def test_job_that_would_begin_anew_at_each_start_is_refused(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "a.ini").write_text('[embed]\nwidths = 8\n overwrite = "yes"\n')
    (tmp_path / "b.ini").write_text("[embed]\noverwrite = false\n")
    (tmp_path / "eval.ini").write_text("widths = 8\n[eval]\noverwrite = no\n")
    (tmp_path / "plain.ini").write_text("\ufeffoverwrite = true\n")
    (tmp_path / "key=value.ini").write_text("\toverwrite\t=\f1\r\n")
    refused = start_alone(tmp_path, "--widths", "8", *options)
    assert refused.returncode == USAGE and "--overwrite would throw away what is committed" in refused.stderr
    assert "launched" not in refused.stdout


@pytest.mark.parametrize("files", [["other.ini"], ["a.ini", "off.ini"], ["none.ini"]])
def test_job_whose_configuration_does_not_begin_anew_is_started(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "a.ini").write_text("overwrite = true\n")
    (tmp_path / "off.ini").write_text("# overwrite = true\n[embed]\noverwrite = no\n")
    (tmp_path / "other.ini").write_text("[eval]\noverwrite = true\n[embed]\nwidths = 8\n")
    started = start_alone(tmp_path, *(f"--config={name}" for name in files))
    assert "launched" in started.stdout and "--overwrite" not in started.stderr


def test_job_whose_fruitless_starts_cannot_be_counted_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "nina-1.starts").mkdir()
    refused = start_alone(tmp_path, "--widths", "8")
    assert refused.returncode == 1 and f"without {tmp_path}/nina-1.starts fruitless starts cannot be counted" in refused.stderr
    assert "launched" not in refused.stdout
