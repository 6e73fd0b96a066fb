"""Files that are written whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgehip.whole_file import write_file
from tests.programs import PATIENCE_S, running
from tests.small_disk import room_for


def test_without_room_the_file_that_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    write_file(path, b"precious")
    with room_for(10), pytest.raises(OSError, match="File too large") as caught:
        write_file(path, b"x" * 11)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_what_only_its_owner_may_read_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    write_file(path, b"precious")
    path.chmod(0o600)
    write_file(path, b"another")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"another"


def test_an_interrupt_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "me.json", b"precious")
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_is_written_and_a_device_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_file(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"content"
    subprocess.run(["mkfifo", tmp_path / "pipe"], check=True)
    with running(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
        write_file(tmp_path / "pipe", b"content")
        assert reader.stdout.read() == b"content"
    assert (tmp_path / "pipe").is_fifo()


def test_standard_output_is_written_into_a_pipe() -> None:
    code = "from edgehip.whole_file import write_file; write_file('/dev/stdout', b'content')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.stderr == b""
    assert done.stdout == b"content"


def test_a_device_that_takes_nothing_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        write_file("/dev/full", b"content")
    assert caught.value.filename == "/dev/full"
