"""Tests of ``core:http`` as it is executed."""
