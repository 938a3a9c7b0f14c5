"""Tests of the documentation: what it says is what the code does."""
