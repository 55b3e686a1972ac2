"""Telling merchants: signing, schedule, and which addresses may be called at all."""
