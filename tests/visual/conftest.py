"""Fixtures of the tests of pictures."""

import pytest

from tests.visual import drawn_fonts


@pytest.fixture
def system_fonts(monkeypatch):
    """Gives a function that says which fonts the system has; later tests have its own again."""
    yield lambda *paths: drawn_fonts.use_system_fonts(monkeypatch, *paths)
    monkeypatch.undo()
    drawn_fonts.forget()
