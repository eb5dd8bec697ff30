"""What is published: cards, submissions, the board and its page."""
