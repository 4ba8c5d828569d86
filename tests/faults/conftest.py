"""The table of `make faults`: of each fault how often it was tried, and how often something was lost."""

import sys
from collections import defaultdict
from dataclasses import dataclass

import pytest

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []  # no forks, no signals to groups


@dataclass
class Row:
    tried: int = 0
    lost: int = 0
    seconds: float = 0.0


class Table:
    """One row for each fault that a test here names, and one for each file of other tests."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, Row] = defaultdict(Row)
        self.is_asked_for = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = dict(report.user_properties).get("fault")
        self.is_asked_for |= name is not None
        row = self.rows[str(name or report.nodeid.partition("::")[0])]
        row.seconds += report.duration
        row.tried += report.when == "call" and not report.skipped
        row.lost += report.failed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.is_asked_for:
            return
        rows = {name: row for name, row in self.rows.items() if row.tried or row.lost}
        width = max(map(len, rows))
        terminalreporter.write_line(f"\n{'fault':<{width}}  tried  lost  seconds")
        for name, row in rows.items():
            terminalreporter.write_line(f"{name:<{width}}  {row.tried:>5}  {row.lost:>4}  {row.seconds:>7.0f}")
        tried, lost = (sum(getattr(row, part) for row in rows.values()) for part in ("tried", "lost"))
        terminalreporter.write_line(f"{lost} of {tried} lost something")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Table())
