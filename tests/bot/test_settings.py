from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from harness.bot.settings import (
    Addresses,
    BotSettings,
    CostSettings,
    MarketSettings,
    MomentumSettings,
    ReversionSettings,
    RiskSettings,
)
from harness.config import parse_toml
from harness.errors import ConfigError

SECRET = "hunter2"  # noqa: S105 - what must not be shown
DATABASE = f"postgresql://bot:{SECRET}@db:5432/trades"
REDIS = f"redis://:{SECRET}@cache:6379/0"


def test_every_default_stands_in_the_document() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "bot.md").read_text(encoding="utf-8")
    for record in (MarketSettings, MomentumSettings, ReversionSettings, RiskSettings, CostSettings, BotSettings):
        for field in msgspec.structs.fields(record):
            if not isinstance(field.default, msgspec.Struct):
                assert f"| `{field.name}` | {written(field.default)} |" in page


def written(default: object) -> str:
    return (
        default if isinstance(default, str) else str(default).lower() if isinstance(default, bool) else f"{default:g}"
    )


def test_settings_survive_toml_and_json() -> None:
    text = '[market]\nfast = 3\n[strategy]\nname = "momentum"\nentry = 2.0\n[risk]\nmaximum_open = 1\n'
    settings = parse_toml(text + "[costs]\nfee_rate = 0.00075\n", BotSettings, source="test")
    assert settings.market == MarketSettings(fast=3)
    assert settings.strategy == MomentumSettings(entry=2.0)
    assert settings.risk == RiskSettings(maximum_open=1)
    assert settings.costs.fee_rate == Decimal("0.00075")
    assert msgspec.json.decode(msgspec.json.encode(settings), type=BotSettings) == settings


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[market]\nfast = 0", "market.fast"),
        ("[market]\nslow = -1", "market.slow"),
        ("[market]\nrsi = 1", "market.rsi"),
        ('[strategy]\nname = "momentum"\nwarm_up = 0', "strategy.warm_up"),
        ('[strategy]\nname = "momentum"\nentry = "1"', "strategy.entry"),
        ('[strategy]\nname = "mean-reversion"\noversold = 101.0', "strategy.oversold"),
        ('[strategy]\nname = "hodl"', "strategy.name"),
        ("[strategy]\nentry = 1.0", "strategy"),
        ("[risk]\nmaximum_notional = 0.0", "risk.maximum_notional"),
        ("[risk]\nmaximum_notional = inf", "risk.maximum_notional"),
        ("[risk]\nrisk_fraction = 0.0", "risk.risk_fraction"),
        ("[risk]\nstop_loss = 0.0", "risk.stop_loss"),
        ("[costs]\nslippage = 0.6", "costs"),
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
