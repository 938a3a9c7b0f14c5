"""Tests of the cloud on a laptop."""
