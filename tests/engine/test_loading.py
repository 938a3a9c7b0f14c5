"""Node types and workflows from installed packages and from a folder: real ones, made for each test."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from engine import Registry
from engine.core_nodes import CORE_NODES
from engine.errors import InvalidDefinition
from engine.loading import ENTRY_POINT_GROUP, load_entry_points
from tests.engine.one_node import NOW_MS

NODE = """
def it(data):
    return {value!r}


def register(registry):
    registry.node({node_type!r})(it)
"""


@pytest.fixture(autouse=True)
def modules_as_before() -> Iterator[None]:
    """Modules that a test imported are forgotten after it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("refluxo_nodes_", "made_")):
            del sys.modules[name]


def write(folder: Path, **files: object) -> Path:
    """Writes files into a folder: ``a_py`` is ``a.py``; what is no text is written as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / ".".join(name.rsplit("_", 1))).write_text(dedent(text), "utf-8")
    return folder


def workflow(name: str, node_type: str) -> dict[str, object]:
    """A workflow of one node."""
    return {"name": name, "nodes": [{"id": "it", "type": node_type}]}


def made_type(node_type: str, inner: str = "core:set") -> dict[str, object]:
    """A node type as data."""
    return {"type": node_type, "workflow": {"nodes": [{"id": "a", "type": inner}]}}


def own_types(registry: Registry) -> list[str]:
    """The types that are not the core's, in the order of their registration."""
    return [node_type for node_type in registry.node_definitions if node_type not in CORE_NODES]


def test_a_folder_gives_python_first_then_types_then_workflows(tmp_path: Path) -> None:
    """Each kind in the order of names, so that a workflow may use what stands anywhere in the folder."""
    folder = write(
        tmp_path,
        a_json=workflow("first", "test:data"),
        b_py=NODE.format(value=1, node_type="test:b"),
        c_json=made_type("test:data", "test:z"),
        d_json=made_type("test:more", "test:data"),
        z_py=NODE.format(value=2, node_type="test:z"),
        zz_json=workflow("last", "test:z"),
    )
    registry = Registry()
    registry.load_folder(str(folder))
    assert own_types(registry) == ["test:b", "test:z", "test:data", "test:more"]
    assert list(registry.workflows) == ["first", "last"]
    assert registry.engine("first").execute(now_ms=NOW_MS).output == 2


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Names with an underscore or a dot before them, other kinds of files, and folders in the folder."""
    write(tmp_path, readme_md="not JSON", _helpers_py="raise RuntimeError", x_txt="{")
    write(tmp_path / "deeper", y_py="raise RuntimeError")
    for name in (".hidden.json", "_draft.json", ".x.py"):
        (tmp_path / name).write_text("{", "utf-8")
    registry = Registry()
    registry.load_folder(tmp_path)
    assert own_types(registry) == []
    assert not registry.workflows


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A typo in a path must not look like an empty folder; a file is no folder either."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Registry().load_folder(tmp_path / "nowhere")
    write(tmp_path, a_json={})
    with pytest.raises(FileNotFoundError, match=r"a\.json"):
        Registry().load_folder(tmp_path / "a.json")


@pytest.mark.parametrize("code", ["x = 1", "register = 'me'"])
def test_a_module_without_register_is_named(tmp_path: Path, code: str) -> None:
    """What a module is for cannot be guessed."""
    with pytest.raises(TypeError, match=r"nodes\.py has no function register\(registry\)"):
        Registry().load_folder(write(tmp_path, nodes_py=code))


def test_what_a_module_raises_is_its_own(tmp_path: Path) -> None:
    """With a traceback into its file."""
    with pytest.raises(ZeroDivisionError) as raised:
        Registry().load_folder(write(tmp_path, nodes_py="1 / 0"))
    assert raised.traceback[-1].path == tmp_path / "nodes.py"


@pytest.mark.parametrize(
    ("content", "paths"),
    [
        ("{", ["$"]),
        ("", ["$"]),
        ("[1]", ["$"]),
        ('"text"', ["$"]),
        ("[" * 100_000, ["$"]),
        ("{}", ["$.type", "$.workflow"]),
        ('{"nodes": []}', ["$.nodes"]),
        (json.dumps(workflow("w", "test:no")), ["$.nodes[0].type"]),
        (json.dumps(made_type("test:t", "test:no")), ["$.workflow.nodes[0].type"]),
        (json.dumps({"type": "test:t", "workflow": {"nodes": [{"id": "a"}]}}), ["$.workflow.nodes[0].type"]),
    ],
    ids=["cut off", "empty", "list", "text", "too deep", "neither", "no nodes", "unknown", "unknown inside", "no type"],
)
def test_a_faulty_file_is_named_with_its_faults(tmp_path: Path, content: str, paths: list[str]) -> None:
    """Whatever is wrong with it, in the same way."""
    write(tmp_path, good_json=workflow("good", "core:set"), broken_json=content)
    with pytest.raises(InvalidDefinition, match=r"'broken\.json") as invalid:
        Registry().load_folder(tmp_path)
    assert [fault.path for fault in invalid.value.faults] == paths


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """JSON is UTF-8."""
    (tmp_path / "broken.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(InvalidDefinition, match=r"broken\.json.*\n.*not JSON"):
        Registry().load_folder(tmp_path)


def test_two_workflows_of_one_name_are_refused_by_file(tmp_path: Path) -> None:
    """The later file is the one that is named."""
    write(tmp_path, a_json=workflow("w", "core:set"), b_json=workflow("w", "core:set"))
    with pytest.raises(InvalidDefinition, match=r"'b\.json: w'.*\n.*registered already"):
        Registry().load_folder(tmp_path)


MODELS = """
from __future__ import annotations

import dataclasses

from pydantic import BaseModel


class Outer(BaseModel):
    inner: Inner


class Inner(BaseModel):
    value: {kind}


@dataclasses.dataclass
class Plain:
    value: {kind}


def it(data: Outer) -> object:
    return Plain(data.inner.value).value


def register(registry):
    registry.node({node_type!r})(it)
"""


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    """Models of the one are not taken for those of the other, whenever pydantic comes to look."""
    write(tmp_path / "a", nodes_py=MODELS.format(kind="int", node_type="test:a"))
    write(tmp_path / "b", nodes_py=MODELS.format(kind="str", node_type="test:b"))
    registry = Registry()
    registry.load_folder(tmp_path / "a")
    registry.load_folder(tmp_path / "b")
    for name, value in (("a", 1), ("b", "one")):
        node = {"id": "it", "type": f"test:{name}", "data": {"inner": {"value": value}}}
        registry.add({"name": name, "nodes": [node]})
        assert registry.engine(name).execute(now_ms=NOW_MS).output == value


def test_a_folder_can_be_loaded_into_two_registries(tmp_path: Path) -> None:
    """Each has types of its own; twice into one is a type registered twice."""
    folder = write(tmp_path, a_py=NODE.format(value=1, node_type="test:a"), b_json=workflow("w", "test:a"))
    registries = [Registry(), Registry()]
    for registry in registries:
        registry.load_folder(folder)
        assert registry.engine("w").execute(now_ms=NOW_MS).output == 1
    with pytest.raises(ValueError, match="'test:a' is registered already"):
        registries[0].load_folder(folder)


PACKAGE = """
from engine import NodeDefinition

def register(registry):
    registry.node("made:one")(lambda data: 1)
    registry.node("made:two")(lambda data: 2)

made = NodeDefinition(lambda data: "made")
wrong = 5
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, distribution: str, code: str, **points: str) -> None:
    """Makes an installed distribution, with its metadata on the path, that offers entry points."""
    write(folder, **{f"{distribution}_py": code})
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{lines}[other.group]\nx = nowhere:x\n", "utf-8")
    monkeypatch.syspath_prepend(folder)


def test_entry_points_register_functions_and_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of names, over all distributions; a definition's type is its entry point's name."""
    install(tmp_path / "a", monkeypatch, "made_a", PACKAGE, zebra="made_a:made")
    install(tmp_path / "b", monkeypatch, "made_b", PACKAGE, mouse="made_b:made", lion="made_b:register")
    registry = Registry()
    assert registry.load_entry_points() == ("lion", "mouse", "zebra")
    assert own_types(registry) == ["made:one", "made:two", "mouse", "zebra"]
    registry.add(workflow("w", "zebra"))
    assert registry.engine("w").execute(now_ms=NOW_MS).output == "made"


def test_an_entry_point_that_is_neither_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its group and what it should be."""
    install(tmp_path, monkeypatch, "made_c", PACKAGE, odd="made_c:wrong")
    with pytest.raises(TypeError, match=r"entry point 'odd' of 'refluxo\.nodes' must be register\(registry\)"):
        Registry().load_entry_points()


def test_an_entry_point_cannot_take_a_core_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is installed must not change what a workflow does."""
    install(tmp_path, monkeypatch, "made_d", PACKAGE.replace("made:one", "core:set"), taken="made_d:register")
    with pytest.raises(ValueError, match="'core:set' is registered already"):
        Registry().load_entry_points()


def test_other_groups_are_nobodys() -> None:
    """A group that no package offers has no entry points."""
    registry = Registry()
    assert load_entry_points(registry, "refluxo.nothing") == ()
    assert own_types(registry) == []
