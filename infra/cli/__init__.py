"""The operator's command line `riel`. Commands import what they need when they run."""
