"""The README's Python runs as it stands and says what it claims."""

import re
from pathlib import Path

import pytest

from panoptic_heuristic.fusion import STAGES

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_there_is_an_example():
    assert BLOCKS


@pytest.mark.parametrize("code", BLOCKS)
def test_example_runs_and_prints_what_its_comments_say(code, capsys, monkeypatch):
    for registry in STAGES.values():
        # A rule that the example registers is forgotten after the test.
        monkeypatch.setattr(registry, "_obj_map", dict(registry._obj_map))
    exec(compile(code, str(README), "exec"), {})
    said = [line.split("#", 1)[1].strip() for line in code.splitlines() if line.startswith("print(") and "#" in line]
    assert capsys.readouterr().out.splitlines() == said
