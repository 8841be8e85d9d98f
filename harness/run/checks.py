"""What makes a trial a failed one: a stack that was not in use, trades that are missing, a bot that hardly traded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backends.proof import discrepancies
from harness.backends.stack import Stack

if TYPE_CHECKING:
    from harness.bot.settings import BotSettings
    from harness.run.messages import Outcome


def problems_of(stack: str, outcome: Outcome, bot: BotSettings | None) -> list[str]:
    """Sentences; empty for a good trial. `bot` is None for a scenario in which no bot runs."""
    found = discrepancies(Stack.parse(stack), outcome.active, cache_hits=outcome.cache_hits)
    if bot is not None:
        found += _bot_problems(outcome, bot)
    return found


def _bot_problems(outcome: Outcome, bot: BotSettings) -> list[str]:
    counters = outcome.counters
    found = []
    if counters.get("rows_written", 0) == 0:
        found.append("no row was written to PostgreSQL")
    for rows, trades in (("rows_written", "trades_opened"), ("rows_closed", "trades_closed")):
        if counters.get(rows) != counters.get(trades):
            found.append(f"{trades} is {counters.get(trades)}, but {rows} is {counters.get(rows)}")
    if outcome.decisions < bot.minimum_decisions:
        found.append(
            f"only {outcome.decisions} decisions, fewer than {bot.minimum_decisions}: equality of so little proves "
            "nothing; lower the strategy's thresholds for this recording in a scenario of your own"
        )
    return found
