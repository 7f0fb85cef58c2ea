"""The audit: what a data set hides from those who train on it.

``examine_frames`` reads every frame once; ``audit_cohort`` looks at the rows and at what was seen of their frames, and
resolves conflicts as the settings ask; ``write_audit`` writes ``audit.json``; later stages add to it with
``add_to_audit``.
"""

from sonoproof.data.audit.audit import AuditOutcome, audit_cohort
from sonoproof.data.audit.examination import Examination, examine_frames
from sonoproof.data.audit.findings import Finding
from sonoproof.data.audit.writing import add_to_audit, write_audit

__all__ = ["AuditOutcome", "Examination", "Finding", "add_to_audit", "audit_cohort", "examine_frames", "write_audit"]
