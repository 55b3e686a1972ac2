"""PSPs: one Protocol, one adapter for each company behind it."""
