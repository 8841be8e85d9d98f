from __future__ import annotations

import pytest


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans are made of names: what is really installed here decides nothing in them."""
    monkeypatch.setattr("harness.backends.registry.Registry.is_installed", lambda _self, _slot, _name: True)
