"""The Python of the README and of docs/ runs as it stands and says what it claims, and links lead somewhere."""

import re

import pytest

from panoptic_heuristic.ablation.cache.ground_truth import remember_gt
from panoptic_heuristic.fusion import STAGES
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "datasets" / "README.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
BLOCKS = [
    pytest.param(code, id=f"{path.name} {number}")
    for path in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL))
]


def test_there_are_examples():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("code", BLOCKS)
def test_an_example_runs_and_prints_what_its_comments_say(code, capsys, monkeypatch, tmp_path):
    if "import pandas" in code:
        # No dependency, so it is there only where someone has it.
        pytest.importorskip("pandas", reason="pandas is not installed")
    for registry in STAGES.values():
        # A rule that the example registers is forgotten after the test.
        monkeypatch.setattr(registry, "_obj_map", dict(registry._obj_map))
    monkeypatch.chdir(tmp_path)
    if '"cache"' in code:
        scenes = small_scenes(8)
        remember_gt(write_cache(tmp_path / "cache", scenes), *write_gt(tmp_path / "gt", scenes))
    exec(compile(code, "an example", "exec"), {})
    said = [line.split("#", 1)[1].strip() for line in code.splitlines() if line.startswith("print(") and "#" in line]
    assert capsys.readouterr().out.splitlines() == said
    for name in re.findall(r'save\("(.+?)"\)', code):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    for link in links:
        name, _, anchor = link.partition("#")
        target = page if not name else page.parent / name
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings], link


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
