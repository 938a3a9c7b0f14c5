"""Tests of the engine, which need nothing of the cloud."""
