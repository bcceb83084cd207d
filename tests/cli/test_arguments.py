"""Wrong command lines are one sentence; numbers are held to their bounds, both included."""

from pathlib import Path

import pytest

from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_output_arguments,
    add_seed_argument,
    number,
    whole_number,
)
from panoptic_heuristic.errors import InputError


def refusal(arguments, **options):
    parser = CommandParser("Does something.", "example:\n  a  b")
    parser.add_argument("--n", **options)
    with pytest.raises(InputError) as refused:
        parser.parse_args(arguments)
    return str(refused.value)


@pytest.mark.parametrize("kind", [whole_number(1, 3), number(1, 3)])
@pytest.mark.parametrize("text, value", [("1", 1), ("2", 2), ("3", 3)])
def test_bounds_are_included(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    "kind, text, message",
    [
        (whole_number(1), "0", "--n must be at least 1, got 0"),
        (whole_number(0), "-1", "--n must be at least 0, got -1"),
        (whole_number(0, 2**32 - 1), "4294967296", "--n must be in [0, 4294967295], got 4294967296"),
        (whole_number(0), "1.5", "--n must be a whole number, got '1.5'"),
        (number(0, 1), "1.01", "--n must be in [0, 1], got 1.01"),
        (number(0, 1), "nan", "--n must be in [0, 1], got nan"),
        (number(0), "-0.1", "--n must be at least 0, got -0.1"),
        (number(0), "much", "--n must be a number, got 'much'"),
    ],
)
def test_what_is_out_of_bounds_is_told(kind, text, message):
    assert refusal(["--n", text], type=kind) == message


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "the following arguments are required: --n"),
        (["--n"], "--n expected one argument"),
        (["--n", "c"], "--n invalid choice: 'c' (choose from 'a', 'b')"),
        (["--n", "a", "--m"], "unrecognized arguments: --m"),
    ],
)
def test_a_wrong_command_line_is_told(arguments, message):
    assert refusal(arguments, choices=["a", "b"], required=True) == message


def test_texts_are_shown_as_they_are():
    text = CommandParser("Does\n  something.", "example:\n  a  b").format_help()
    assert "Does\n  something.\n" in text and text.endswith("example:\n  a  b\n")


def test_an_output_is_required_unless_it_has_a_default():
    parser = CommandParser()
    add_output_arguments(parser, "results", default=Path("out"))
    add_seed_argument(parser, "the parts")
    args = parser.parse_args([])
    assert (args.output, args.overwrite, args.seed) == (Path("out"), False, 0)
    assert "a folder for results (default: out)" in parser.format_help()
    strict = CommandParser()
    add_output_arguments(strict, "results")
    with pytest.raises(InputError, match="^the following arguments are required: --output$"):
        strict.parse_args([])
