"""The set-up builds once, starts over after a half-built environment, and names the step that failed."""

import sys

import pytest

import make_env


@pytest.fixture
def venv(tmp_path):
    return tmp_path / "env"


@pytest.fixture
def steps_run(monkeypatch, venv):
    """Replaces running a step by noting its name; the first one leaves a Python behind, as the real one does."""
    names = []

    def run_step(step, label, log):
        names.append(step.name)
        (venv / "bin").mkdir(exist_ok=True)
        (venv / "bin" / "python").touch()
        (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.7\n")

    monkeypatch.setattr(make_env, "run_step", run_step)
    monkeypatch.setattr(make_env.sys, "version_info", (3, 11, 7))
    return names


def all_names(venv):
    return [step.name for step in make_env.third_party_steps(venv) + make_env.package_steps(venv)]


def python_step(code, **changes):
    """A step that runs a line of Python."""
    return make_env.Step("a step", (sys.executable, "-c", code), "Do this.")._replace(**changes)


class TestUnsupportedPython:
    @pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 7), (3, 12, 1), (3, 13, 0), (3, 14, 0)])
    def test_supported_ones_pass(self, version):
        make_env.refuse_unsupported(version, "/usr/bin/python3")

    @pytest.mark.parametrize("version, text", [((2, 7, 18), "2.7.18"), ((3, 9, 18), "3.9.18"), ((3, 15, 0), "3.15.0")])
    def test_others_are_refused_by_name(self, version, text):
        with pytest.raises(make_env.SetUpError, match=f"^Python {text} at /usr/bin/python3 is not supported; supp"):
            make_env.refuse_unsupported((*version, "final", 0), "/usr/bin/python3")

    def test_the_refusal_names_a_python_that_would_do(self, monkeypatch):
        monkeypatch.setattr(make_env, "answers", lambda name: name == "python3.10")
        with pytest.raises(make_env.SetUpError, match=r"run `make env PYTHON=python3\.10`"):
            make_env.refuse_unsupported((3, 9, 18), "/usr/bin/python3")

    def test_only_a_command_that_runs_counts(self, tmp_path):
        shim = tmp_path / "python3.12"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        assert not make_env.answers(str(shim))
        assert not make_env.answers(str(tmp_path / "absent"))
        assert make_env.answers(sys.executable)

    def test_nothing_is_built_and_the_exit_code_is_2(self, venv, monkeypatch, capsys):
        monkeypatch.setattr(make_env.sys, "version_info", (3, 9, 18))
        assert make_env.main([str(venv)]) == 2
        assert not venv.exists()
        assert capsys.readouterr().err.startswith(f"error: Python 3.9.18 at {sys.executable} is not supported")


class TestWhatIsRun:
    def test_a_new_environment_takes_all_steps_and_a_second_run_none(self, venv, steps_run, capsys):
        assert make_env.main([str(venv)]) == 0
        assert steps_run == all_names(venv)
        steps_run.clear()
        assert make_env.main([str(venv)]) == 0
        assert steps_run == []
        assert capsys.readouterr().out.splitlines()[-1] == f"{venv} is up to date (Python 3.11.7)."

    def test_a_half_built_one_is_started_over(self, venv, steps_run):
        (venv / make_env.STATE).mkdir(parents=True)
        (venv / "bin").mkdir()
        (venv / "bin" / "python").touch()
        (venv / "left over").touch()
        assert make_env.main([str(venv)]) == 0
        assert steps_run == all_names(venv)
        assert not (venv / "left over").exists()

    def test_another_lock_means_another_environment(self, venv, steps_run):
        make_env.main([str(venv)])
        (venv / make_env.STATE / "third-party").write_text("of an older lock")
        steps_run.clear()
        make_env.main([str(venv)])
        assert steps_run == all_names(venv)

    def test_another_setup_py_or_checkout_only_binds_the_package_again(self, venv, steps_run):
        make_env.main([str(venv)])
        (venv / make_env.STATE / "package").write_text("of another checkout")
        steps_run.clear()
        make_env.main([str(venv)])
        assert steps_run == [step.name for step in make_env.package_steps(venv)]

    def test_an_environment_that_lost_its_python_is_started_over(self, venv, steps_run):
        make_env.main([str(venv)])
        (venv / "bin" / "python").unlink()
        steps_run.clear()
        make_env.main([str(venv)])
        assert steps_run == all_names(venv)

    def test_a_changed_lock_changes_the_fingerprint(self, tmp_path):
        lock = tmp_path / "lock"
        lock.write_text("a==1")
        before = make_env.fingerprint([lock])
        lock.write_text("a==2")
        assert make_env.fingerprint([lock]) != before
        assert make_env.fingerprint([lock], extra="/elsewhere") != make_env.fingerprint([lock])


class TestWhatBelongsToOthers:
    def test_somebody_s_environment_is_used_and_not_touched(self, venv, steps_run, capsys):
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").touch()
        assert make_env.main([str(venv)]) == 0
        assert steps_run == []
        assert sorted(path.name for path in venv.rglob("*")) == ["bin", "python"]
        assert "as it is" in capsys.readouterr().out

    def test_a_folder_that_is_no_environment_is_refused(self, venv, steps_run, capsys):
        venv.mkdir()
        (venv / "thesis.tex").touch()
        assert make_env.main([str(venv)]) == 2
        assert (venv / "thesis.tex").exists()
        assert steps_run == []
        assert "is no Python environment; delete it" in capsys.readouterr().err


class TestSteps:
    def test_one_that_works_prints_one_line_and_keeps_its_output_in_the_log(self, tmp_path, capsys):
        make_env.run_step(python_step("print('much noise')"), "[1/2]", tmp_path / "log.txt")
        assert capsys.readouterr().out == "[1/2] a step ... 0 s\n"
        assert "much noise" in (tmp_path / "log.txt").read_text()

    def test_one_that_fails_is_named_with_its_last_lines_and_what_to_do(self, venv, monkeypatch, capsys):
        failing = python_step("print('WARNING: routine'); print('ERROR: no such package'); raise SystemExit(3)")
        monkeypatch.setattr(make_env, "third_party_steps", lambda venv: [failing])
        monkeypatch.setattr(make_env.sys, "version_info", (3, 11, 7))
        assert make_env.main([str(venv)]) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: step [1/3] (a step) failed after 0 s with exit code 3; its last lines are\n")
        assert "ERROR: no such package\n" in message
        assert "routine" not in message
        assert message.endswith(f"Do this.\nThe whole output is in {venv / make_env.STATE / 'log.txt'}\n")
        assert not (venv / make_env.STATE / "third-party").exists()

    def test_an_optional_one_that_fails_is_told_and_the_set_up_goes_on(self, tmp_path, capsys):
        make_env.run_step(python_step("raise SystemExit(1)", optional=True), "[1/2]", tmp_path / "log.txt")
        assert capsys.readouterr().out == f"[1/2] a step ... left out. Do this. Log: {tmp_path / 'log.txt'}\n"

    def test_packages_of_the_caller_are_not_seen(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        code = "import os; raise SystemExit('PYTHONPATH' in os.environ)"
        assert make_env.run_logged((sys.executable, "-c", code), tmp_path / "log.txt", "")[0] == 0

    def test_ctrl_c_leaves_a_half_built_environment(self, venv, steps_run, monkeypatch, capsys):
        def interrupted(step, label, log):
            raise KeyboardInterrupt

        monkeypatch.setattr(make_env, "run_step", interrupted)
        assert make_env.main([str(venv)]) == 130
        assert "Traceback" not in capsys.readouterr().err
        assert not (venv / make_env.STATE / "third-party").exists()
