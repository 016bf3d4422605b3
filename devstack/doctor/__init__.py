"""``make doctor``: what is wrong with a machine, a checkout, its settings or its stack, and how to fix it."""
