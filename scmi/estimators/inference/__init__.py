"""How sure: tests, errors, intervals, the bias correction, and what carries the information; all on held-out pairs."""
