"""Reload on save: what is saved is used by the next run, and what is broken is told and not used."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from local import LocalStack
from local.project import Project
from local.reloader import Changes, Reloader, watch_files
from tests.local.http import SECONDS_MAX, call
from tests.local.waiting import until, until_status

CODE = """
from pathlib import Path
from engine import Registry
from mine_to_reload.words import WORD

registry = Registry()

@registry.node("mine:say")
def say(_data):
    return WORD

registry.load_folder(Path(__file__).parent / "definitions")
"""

DEFINITION = {
    "name": "say",
    "nodes": [
        {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
        {"id": "said", "type": "core:set", "data": "first"},
        {"id": "word", "type": "mine:say"},
        {"id": "end", "type": "core:set", "data": "{{ nodes.said.last.data }} {{ nodes.word.last.data }}"},
    ],
    "edges": [
        {"source": "wait", "target": "said"},
        {"source": "said", "target": "word"},
        {"source": "word", "target": "end"},
    ],
}

REGISTRY = "mine_to_reload:registry"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's package, on the path; its modules go with the test."""
    package = tmp_path / "mine_to_reload"
    (package / "definitions").mkdir(parents=True)
    (package / "__init__.py").write_text(CODE)
    (package / "words.py").write_text("WORD = 'one'\n")
    (package / "definitions" / "say.json").write_text(json.dumps(DEFINITION))
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine_to_reload"]:
        del sys.modules[name]


class Saves:
    """Says what was saved, and waits until that has been dealt with."""

    def __init__(self) -> None:
        self._saved: queue.Queue[tuple[list[Path], threading.Event]] = queue.Queue()
        self.folders: Sequence[Path] = ()

    def watch(self, folders: Sequence[Path], stop: threading.Event) -> Changes:
        """See Watch."""
        self.folders = folders
        while not stop.is_set():
            try:
                changed, dealt_with = self._saved.get(timeout=0.05)
            except queue.Empty:
                continue
            yield changed
            # Whoever asks for the next change is done with this one.
            dealt_with.set()

    def save(self, path: Path, text: str) -> None:
        """Writes a file; comes back when the reload that follows is over."""
        dealt_with = threading.Event()
        path.write_text(text)
        self._saved.put(([path], dealt_with))
        assert dealt_with.wait(SECONDS_MAX)


def _end(url: str, run: str) -> object:
    assert call(f"{url}/runs/{run}/signals/go", {"payload": None}, "POST")[0] == 202
    return until_status(url, run, "completed")["output"]


def test_what_is_saved_is_used_by_the_next_run(package: Path) -> None:
    """Definitions and code; a run that has begun keeps its definition, and the stack all that it had."""
    saves = Saves()
    with LocalStack(registry=REGISTRY, watch=saves.watch) as stack:
        assert call(f"{stack.url}/workflows/say/runs", {"workflowId": "before"})[0] == 202
        until_status(stack.url, "before", "paused")
        changed = json.loads(json.dumps(DEFINITION).replace("first", "second"))
        saves.save(package / "definitions" / "say.json", json.dumps(changed))
        saves.save(package / "words.py", "WORD = 'two'\n")
        assert call(f"{stack.url}/workflows/say/runs", {"workflowId": "after"})[0] == 202
        until_status(stack.url, "after", "paused")
        assert _end(stack.url, "after") == "second two"
        assert _end(stack.url, "before") == "first two"
        assert saves.folders == [package]


def test_a_broken_file_is_told_and_the_code_from_before_goes_on(
    package: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its place; once mended, it is used."""
    saves = Saves()
    caplog.set_level("INFO", logger="refluxo.local.reload")
    with LocalStack(registry=REGISTRY, watch=saves.watch) as stack:
        saves.save(package / "words.py", "WORD = (\n")
        assert "words.py" in caplog.text
        assert "line 1" in caplog.text
        assert "SyntaxError" in caplog.text
        assert "the code from before goes on" in caplog.text
        saves.save(package / "words.py", "WORD = 1 / 0\n")
        assert "ZeroDivisionError" in caplog.text
        bad = {**DEFINITION, "edges": [{"source": "wait", "target": "nowhere"}]}
        saves.save(package / "definitions" / "say.json", json.dumps(bad))
        saves.save(package / "words.py", "WORD = 'mended'\n")
        assert "there is no node 'nowhere'" in caplog.text
        assert call(f"{stack.url}/workflows/say/runs", {"workflowId": "meanwhile"})[0] == 202
        assert _end(stack.url, "meanwhile") == "first one"
        saves.save(package / "definitions" / "say.json", json.dumps(DEFINITION))
        assert "reloaded: mine_to_reload/definitions/say.json" in caplog.text
        assert call(f"{stack.url}/workflows/say/runs", {"workflowId": "mended"})[0] == 202
        assert _end(stack.url, "mended") == "first mended"


def _reloader(rebuild: Callable[[], None]) -> Reloader:
    __import__("mine_to_reload")
    return Reloader(REGISTRY, rebuild, lambda _folders, _stop: ())


def test_two_saves_that_look_alike_are_both_seen(package: Path) -> None:
    """Of one length and one second, which is all that the cache of compiled code goes by."""
    words: list[str] = []

    def rebuild() -> None:
        __import__("mine_to_reload")
        words.append(sys.modules["mine_to_reload.words"].WORD)

    reloader = _reloader(rebuild)
    file = package / "words.py"
    saved_at = file.stat().st_mtime
    for word in ("two", "six"):
        file.write_text(f"WORD = '{word}'\n")
        os.utime(file, (saved_at, saved_at))
        assert reloader.reload([file])
    assert words == ["two", "six"]


def test_own_code_alone_is_imported_afresh(package: Path) -> None:
    """The kit and what is installed stay the modules they were; after an error, so do one's own."""
    modules = {name: sys.modules[name] for name in ("engine", "local.project", "pytest")}
    found: list[object] = []

    def rebuild() -> None:
        __import__("mine_to_reload")
        found.append(sys.modules["mine_to_reload"])

    reloader = _reloader(rebuild)
    first = sys.modules["mine_to_reload"]
    assert reloader.reload([])
    second = sys.modules["mine_to_reload"]
    assert found == [second]
    assert second is not first
    (package / "words.py").write_text("raise RuntimeError('no')")
    assert not reloader.reload([])
    assert sys.modules["mine_to_reload"] is second
    assert {name: sys.modules[name] for name in modules} == modules


def test_what_is_watched(package: Path) -> None:
    """The packages in use; all of the folder as soon as a module lies beside them."""
    __import__("mine_to_reload")
    assert Project(REGISTRY).watched() == {package}
    (package.parent / "mine_beside.py").write_text("")
    __import__("mine_beside")
    try:
        assert Project(REGISTRY).watched() == {package.parent}
    finally:
        del sys.modules["mine_beside"]


def test_the_operating_system_tells_of_saves(package: Path) -> None:
    """Of sources; other files are none of our business."""
    stop, seen = threading.Event(), queue.Queue[list[Path]]()

    def follow() -> None:
        for changed in watch_files([package], stop):
            seen.put(changed)

    watcher = threading.Thread(target=follow)
    watcher.start()
    try:
        # It takes a moment to begin, so the file is saved until that is noticed.
        def noticed() -> list[Path]:
            (package / "notes.txt").write_text("x")
            (package / "words.py").write_text("WORD = 'three'\n")
            return [] if seen.empty() else seen.get()

        assert until(noticed) == [package / "words.py"]
    finally:
        stop.set()
        watcher.join(10)
    assert not watcher.is_alive()
