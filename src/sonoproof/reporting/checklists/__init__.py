"""Model card and reporting checklists, filled by the run as far as its files go; the rest is left to the authors."""

from sonoproof.reporting.checklists.export import write_checklists
from sonoproof.reporting.checklists.filled import Checklist, FilledItem, filled_checklists

__all__ = ["Checklist", "FilledItem", "filled_checklists", "write_checklists"]
