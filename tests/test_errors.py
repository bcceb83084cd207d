"""A command ends in one sentence where its user can do something, and in a traceback where it is at fault."""

import pytest

from panoptic_heuristic.errors import InputError, command, printable


def raising(error):
    @command
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    "error, code, message",
    [
        (InputError("a.json is missing"), 2, "error: a.json is missing\n"),
        (InputError("Traceback\npanoptic_heuristic.errors.InputError: a is gone\n"), 2, "error: a is gone\n"),
        (InputError("category 1 (a\nb\x1b[31m) is gone"), 2, "error: category 1 (a b\\x1b[31m) is gone\n"),
        (
            ModuleNotFoundError("Thing is not installed.", name="thing"),
            2,
            "error: Thing is not installed; `panoptic-heuristic doctor` says what works without it\n",
        ),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(capsys, error, code, message):
    assert raising(error)() == code
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        ImportError("a name"),
        ModuleNotFoundError("No module named 'panoptic_heuristic.x'", name="panoptic_heuristic.x"),
    ],
)
def test_a_fault_of_the_package_is_not_hidden(error):
    with pytest.raises(type(error)):
        raising(error)()


@pytest.mark.parametrize("text, shown", [
    ("cat", "cat"), ("猫 고양이 é", "猫 고양이 é"), ("a\nb\r\tc", r"a\nb\r\tc"), ("\x1b[2J\x07", r"\x1b[2J\x07"),
    ("\u202eexe.png", r"\u202eexe.png"), ("x\ud800", r"x\ud800"), ("a\u2028b\x85", r"a\u2028b\x85"),
    ("\u3000\xa0", "\u3000\xa0"), ("می\u200cخواهم", "می\u200cخواهم"), (r"a\nb", r"a\nb"),
])  # fmt: skip
def test_what_terminals_may_show(text, shown):
    assert printable(text) == shown == printable(shown)
