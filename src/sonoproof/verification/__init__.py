"""Whether a run says what its predictions say: hashes, and everything that can be computed again."""

from sonoproof.verification.verify import Verification, recomputed, verify_run, wrong_hashes

__all__ = ["Verification", "recomputed", "verify_run", "wrong_hashes"]
