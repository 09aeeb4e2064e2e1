"""The judge: one machine held against another, on walks, captures and scenarios."""

from wintun_sim.check.finding import Finding
from wintun_sim.check.judge import Judge
from wintun_sim.check.main import DEFAULT_STEPS, check, default_jobs, judge
from wintun_sim.check.report import Found, Report

__all__ = ["DEFAULT_STEPS", "Finding", "Found", "Judge", "Report", "check", "default_jobs", "judge"]
