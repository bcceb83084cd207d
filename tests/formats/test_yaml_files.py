"""YAML files, alone and as chains of ``_BASE_`` files."""

import pytest
import yaml

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.yaml_files import merged, read_config_chain, read_yaml, write_yaml


@pytest.fixture
def write(tmp_path):
    def to_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return to_file


def test_a_file_alone(write):
    assert read_yaml(write("a.yaml", "a: [1, 2]")) == {"a": [1, 2]}
    assert read_yaml(write("a.yaml", "")) is None


@pytest.mark.parametrize("text", ["a: [", "a: b: c"])
def test_no_yaml_is_told_in_one_line(write, text):
    with pytest.raises(InputError, match="a.yaml is not valid YAML: ") as caught:
        read_yaml(write("a.yaml", text))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read .*gone.yaml: No such file"):
        read_yaml(tmp_path / "gone.yaml")


def test_bases_lie_below_and_are_relative_to_the_file_that_names_them(write):
    write("base.yaml", "A: {X: 1, Y: 1}\nB: 1")
    write("deep/middle.yaml", "_BASE_: ../base.yaml\nA: {X: 2}")
    chain = read_config_chain(write("top.yaml", "_BASE_: deep/middle.yaml\nA: {Z: 3}"))
    assert chain == [{"A": {"X": 1, "Y": 1}, "B": 1}, {"A": {"X": 2}}, {"A": {"Z": 3}}]
    assert merged(chain) == {"A": {"X": 2, "Y": 1, "Z": 3}, "B": 1}
    # Merging changes none of the files' own keys.
    assert chain[0] == {"A": {"X": 1, "Y": 1}, "B": 1}


def test_of_several_bases_the_last_wins(write):
    write("one.yaml", "A: 1\nB: 1")
    write("two.yaml", "A: 2")
    chain = read_config_chain(write("top.yaml", "_BASE_: [one.yaml, two.yaml]"))
    assert merged(chain) == {"A": 2, "B": 1}


def test_a_node_in_place_of_a_value(write):
    write("base.yaml", "A: 1")
    assert merged(read_config_chain(write("top.yaml", "_BASE_: base.yaml\nA: {X: 2}"))) == {"A": {"X": 2}}


def test_a_config_does_not_lie_on_itself(write):
    write("a.yaml", "_BASE_: b.yaml")
    with pytest.raises(InputError, match="a.yaml is its own _BASE_"):
        read_config_chain(write("b.yaml", "_BASE_: a.yaml").with_name("a.yaml"))


@pytest.mark.parametrize("text, kind", [("[1]", "list"), ("", "NoneType")])
def test_a_config_is_a_mapping(write, text, kind):
    with pytest.raises(InputError, match=f"a.yaml: expected a mapping of config keys, got {kind}"):
        read_config_chain(write("a.yaml", text))


def test_what_is_written_is_read_again_in_its_order(tmp_path):
    content = {"name": "pets", "splits": {"val": {"image_root": "../val $$"}, "train": {"image_root": "~"}}}
    write_yaml(tmp_path / "new" / "pets.yaml", content)
    again = read_yaml(tmp_path / "new" / "pets.yaml")
    assert again == content and list(again["splits"]) == ["val", "train"]


def test_yaml_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "pets.yaml").write_text("name: pets\n")
    with pytest.raises(yaml.YAMLError):
        write_yaml(tmp_path / "pets.yaml", {"name": object()})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("pets.yaml", "name: pets\n")]


@pytest.mark.parametrize("text", ["[" * 100_000, "a: 2001-99-99", "a: !!python/object/apply:os.getcwd []"], ids=len)
def test_what_no_parser_takes_is_told_as_that(write, text):
    with pytest.raises(InputError, match="a.yaml is not valid YAML"):
        read_yaml(write("a.yaml", text))
