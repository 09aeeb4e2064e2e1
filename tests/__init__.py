"""Tests, a folder per room. They import each other's helpers as `tests.<room>.<module>`."""
