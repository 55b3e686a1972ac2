"""The fault simulator: the real functions in a world of models, under a clock of its own."""
