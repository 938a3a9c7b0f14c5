"""The parts of the package's recipe, a file for each; infra/package.py puts them together."""
