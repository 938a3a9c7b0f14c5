"""Tests of the shell: its ports' contract, the whole loop through moto, and the HTTP API."""
