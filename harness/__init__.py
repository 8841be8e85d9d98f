"""tickproof: proves or disproves a performance upgrade of an asyncio trading bot."""

__version__ = "0.1.0"
