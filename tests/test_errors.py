"""A command ends in one sentence where its user can do something, and in a traceback where it is at fault."""

import signal

import pytest

from panoptic_heuristic.errors import InputError, command, printable
from tests.cli.processes import start


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
        (InputError("no file 'a\nb'"), 2, "error: no file 'a b'\n"),
        (OSError(28, "No space left on device", "log.txt"), 2, "error: log.txt: No space left on device\n"),
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
        OSError("wrong"),
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


SPEAKING = """
import sys, time
from panoptic_heuristic.errors import command

@command
def main():
    {}
    return 0

sys.exit(main())
"""


def started(code, **options):
    return start(["-c", SPEAKING.format(code)], **options)


def test_sigterm_is_as_ctrl_c():
    process = started("print('at work', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10) == ("", "stopped\n") and process.returncode == 130


def test_who_calls_a_command_keeps_the_handling_of_sigterm():
    before = signal.getsignal(signal.SIGTERM)
    raising(InputError("wrong"))()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("code", ["print('x')", "[print('x' * 99) for _ in range(99999)]"], ids=["few", "many"])
def test_a_pipe_that_nobody_reads_is_no_traceback(code):
    process = started(f"time.sleep(0.2); {code}")
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(timeout=10) == 141


def test_a_full_disk_for_stdout_is_one_sentence():
    with open("/dev/full", "w") as full:
        process = start(["-c", f"import os; os.dup2({full.fileno()}, 1)\n" + SPEAKING.format("print('x')")],
                        pass_fds=[full.fileno()])  # fmt: skip
    assert process.communicate(timeout=10)[1] == "error: No space left on device\n"
    assert process.returncode == 2


def test_without_any_stdout_a_command_works():
    process = start(["-c", "import sys; sys.stdout = None\n" + SPEAKING.format("print('x')")])
    assert process.communicate(timeout=10) == ("", "") and process.returncode == 0


@pytest.mark.parametrize("encoding, shown", [("ascii", r"\\xe9 \ud800"), ("utf-8", "\u00e9 \\ud800")])
def test_characters_that_the_terminal_lacks_are_spelled(monkeypatch, encoding, shown):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    process = started(r"print('\xe9 \ud800')", encoding="utf-8")
    assert process.communicate(timeout=10) == (shown.replace("\\\\", "\\") + "\n", "")
