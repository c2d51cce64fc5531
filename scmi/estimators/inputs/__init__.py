"""What comes in: matrices of every kind, their rows and scales, who is paired with whom, and what is asked of both."""
