"""Measurements, one module per subject: each gives a table of rows that were measured side by side in one run."""
