"""Whether a run says what its predictions say: hashes, and everything that can be computed again."""

from sonoproof.verification.verify import Verification, verify_run

__all__ = ["Verification", "verify_run"]
