"""Text to behaviour: detectors, their Inspect scorers, their validation."""
