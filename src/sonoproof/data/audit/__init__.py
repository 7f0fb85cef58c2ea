"""The audit: what a data set hides from those who train on it.

``audit_cohort`` looks at the rows and their frames, says what it found and does with conflicts what the settings
ask for; ``write_audit`` writes ``audit.json``; later stages add to it with ``add_to_audit``.
"""

from sonoproof.data.audit.audit import AuditOutcome, audit_cohort
from sonoproof.data.audit.findings import Finding
from sonoproof.data.audit.writing import add_to_audit, write_audit

__all__ = ["AuditOutcome", "Finding", "add_to_audit", "audit_cohort", "write_audit"]
