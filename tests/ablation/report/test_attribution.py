import json

import pytest

from panoptic_heuristic.ablation.attribution.attribute import attribute
from panoptic_heuristic.ablation.report.attribution import attribution_blocks
from panoptic_heuristic.ablation.report.document import Heading, Table
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import DroppedToVoid, Pipeline, SemanticVeto
from tests.ablation.report_sweeps import GREEDY, small_store, swept


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A sweep and the attribution of the errors of one of its settings."""
    folder = tmp_path_factory.mktemp("attribution")
    store = small_store(folder)
    result = swept(folder / "sweep", store, GREEDY)
    attribute(store, GREEDY.settings[22]).write(folder / "errors")
    return result, folder / "errors" / "attribution.json"


@pytest.fixture
def edited(files, tmp_path):
    """Writes the attribution with changes."""

    def edit(change):
        data = json.loads(files[1].read_text())
        change(data)
        path = tmp_path / "attribution.json"
        path.write_text(json.dumps(data))
        return path

    return edit


def tables(blocks):
    return [block for block in blocks if isinstance(block, Table)]


def number(cell):
    return int(cell.replace(",", ""))


def test_causes_add_up_to_the_errors_that_the_sweep_counted(files):
    result, path = files
    blocks = attribution_blocks(path, result)
    assert blocks[0] == Heading("Where errors come from")
    assert blocks[1].text.startswith("Errors of greedy, instances_score_thresh 0.3, overlap_threshold 0.5, stuff_area")
    totals, sums = {}, {}
    for row in tables(blocks)[0].rows:
        if row.mark == "total":
            group = row.cells[0]
            totals[group] = number(row.cells[3])
        else:
            sums[group] = sums.get(group, 0) + number(row.cells[3])
    assert {group: total for group, total in totals.items() if total} == sums
    counts = result.total()
    false = sum(total for group, total in totals.items() if group.startswith("false"))
    assert false == counts.fp[:, 22].sum()
    assert sum(totals.values()) - false == (counts.segments - counts.tp[:, 22]).sum()


def test_oracles_start_from_the_pq_of_the_setting(files):
    result, path = files
    first, *others = tables(attribution_blocks(path, result))[1].rows
    pq = result.total().quality().mean("pq", [True] * len(result.categories))[22]
    assert first.cells[:3] == ("", "as it is", f"{100 * pq:.2f}")
    assert [row.cells[0] for row in others] == ["acceptance", "order", "category", "masks", "semantics"]


def test_any_pipeline(files, tmp_path):
    """Oracles that were left out are not in the table; causes that only other rules have are."""
    result, _ = files
    rules = Pipeline(veto=SemanticVeto(), stuff=DroppedToVoid("before"), thing_area_thresh=30, stuff_area_thresh=100)
    attribute(small_store(tmp_path), rules).write(tmp_path / "errors")
    blocks = attribution_blocks(tmp_path / "errors" / "attribution.json", result)
    assert blocks[1].text.startswith("Errors of greedy, veto semantic_veto, stuff void (counted before), instances_sc")
    causes, oracles, _ = tables(blocks)
    assert "right instance, dropped by another rule" in [row.cells[0] for row in causes.rows]
    assert [row.cells[0] for row in oracles.rows] == ["", "acceptance", "order", "category"]


def test_a_rule_that_the_reader_does_not_know(files, edited):
    path = edited(lambda data: data.update(pipeline={"claim": {"name": "mine"}}, described="mine, least 3"))
    assert attribution_blocks(path, files[0])[1].text.startswith("Errors of mine, least 3 in 6 images. ")


def test_pixels_of_both_zones(files, edited):
    def change(data):
        data["pixel_errors"]["band"] = {
            "pixels": 1000, "right": 750, "errors": 250, "void": 100, "thing_as_stuff": 80, "stuff_as_thing": 50,
            "other_category": 20,
        }  # fmt: skip
        data["pixel_errors"]["elsewhere"] = dict.fromkeys(data["pixel_errors"]["elsewhere"], 0)

    near, elsewhere = tables(attribution_blocks(edited(change), files[0]))[2].rows
    assert near.cells == ("near borders of things and stuff", "1,000", "25.0 %", "10.0 %", "8.0 %", "5.0 %", "2.0 %")
    assert elsewhere.cells == ("elsewhere", "0", *["–"] * 5)


def test_a_group_without_errors(files, edited):
    def change(data):
        for group in data["groups"]:
            group["count"] = 0
            for cause in group["causes"]:
                cause.update(count=0, share=0.0, categories=[], by=[])

    rows = tables(attribution_blocks(edited(change), files[0]))[0].rows
    assert {row.cells[1:] for row in rows} == {("", "", "0", "")}
    assert {row.mark for row in rows} == {"total"}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: data.update(fingerprint="another"), "is of other predictions or another ground truth than"),
        (lambda data: data.update(format=1), "is no attribution of format 2 .it says 1."),
        (lambda data: data.pop("oracles"), "attribution.json has no 'oracles'; make it anew"),
        (lambda data: data.update(groups=[3]), r"groups\[0\]: expected an object, got 3; make it anew"),
    ],
)
def test_something_else_is_refused(files, edited, change, message):
    with pytest.raises(InputError, match=message):
        attribution_blocks(edited(change), files[0])


def test_a_file_of_another_command(files, tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(InputError, match="is no attribution of format 2 .it says None."):
        attribution_blocks(tmp_path / "a.json", files[0])
    with pytest.raises(InputError, match="cannot read"):
        attribution_blocks(tmp_path / "b.json", files[0])
