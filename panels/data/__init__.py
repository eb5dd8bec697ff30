"""The data that ships: seeds, partner banks, the checkpoint registry."""
