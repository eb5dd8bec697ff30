"""Who talks, and how: checkpoints, seeds, partners, banks, chains, the conversation, engines."""
