"""Tests of the ``refluxo`` command."""
