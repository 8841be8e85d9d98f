from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.bot.settings import Addresses, BotSettings, RiskSettings, StrategySettings
from harness.config import parse_toml
from harness.errors import ConfigError

SECRET = "hunter2"  # noqa: S105 - what must not be shown
DATABASE = f"postgresql://bot:{SECRET}@db:5432/trades"
REDIS = f"redis://:{SECRET}@cache:6379/0"


def test_the_defaults_are_those_that_the_document_states() -> None:
    settings = BotSettings()
    assert (settings.strategy.fast, settings.strategy.slow, settings.strategy.warm_up) == (8, 40, 30)
    assert (settings.strategy.entry, settings.strategy.exit, settings.strategy.flow) == (1.5, 0.5, 0.0)
    assert (settings.risk.notional, settings.risk.maximum_open, settings.risk.cool_down_ms) == (1_000.0, 10, 1_000)
    assert (settings.risk.maximum_hold_ms, settings.risk.stop_loss, settings.risk.take_profit) == (15_000, 0.004, 0.004)
    assert settings.minimum_decisions == 20


def test_every_default_stands_in_the_document() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "bot.md").read_text(encoding="utf-8")
    for record in (StrategySettings, RiskSettings, BotSettings):
        for field in msgspec.structs.fields(record):
            if field.name not in {"strategy", "risk"}:
                assert f"| `{field.name}` | {field.default:g} |" in page


def test_settings_survive_toml_and_json() -> None:
    settings = parse_toml("[strategy]\nfast = 3\n[risk]\nmaximum_open = 1\n", BotSettings, source="test")
    assert settings.strategy == StrategySettings(fast=3)
    assert settings.risk == RiskSettings(maximum_open=1)
    assert msgspec.json.decode(msgspec.json.encode(settings), type=BotSettings) == settings


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[strategy]\nfast = 0", "strategy.fast"),
        ("[strategy]\nslow = -1", "strategy.slow"),
        ("[strategy]\nwarm_up = 0", "strategy.warm_up"),
        ('[strategy]\nentry = "1"', "strategy.entry"),
        ("[risk]\nnotional = 0.0", "risk.notional"),
        ("[risk]\nnotional = inf", "risk.notional"),
        ("[risk]\nmaximum_open = -1", "risk.maximum_open"),
        ("[risk]\nmaximum_hold_ms = -1", "risk.maximum_hold_ms"),
        ("[risk]\nstop_loss = 1.5", "risk.stop_loss"),
        ("[risk]\ntake_profit = -0.1", "risk.take_profit"),
        ("[risk]\nleverage = 100", "risk"),
        ("minimum_decisions = -1", "minimum_decisions"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_key(text: str, key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_toml(text, BotSettings, source="bot.toml")
    assert raised.value.key == key


def test_addresses_come_from_the_environment() -> None:
    found = Addresses.from_environment({"DATABASE_URL": DATABASE, "REDIS_URL": REDIS, "OTHER": "x"})
    assert (found.database_url, found.redis_url) == (DATABASE, REDIS)


def test_an_empty_address_counts_as_none() -> None:
    for environ in ({}, {"DATABASE_URL": "", "REDIS_URL": ""}):
        found = Addresses.from_environment(environ)
        assert (found.database_url, found.redis_url) == ("", None)


def test_no_password_is_shown() -> None:
    addresses = Addresses(database_url=DATABASE, redis_url=REDIS)
    for text in (repr(addresses), str(addresses), f"{addresses}", f"{[addresses]}"):
        assert SECRET not in text
        assert "db:5432" in text
