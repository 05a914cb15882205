"""Smaller models: fewer layers, fewer tokens, and what that changes."""
