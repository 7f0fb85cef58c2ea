"""Look-alikes: which frames are views of one source?"""

from sonoproof.data.lookalike.links import Link, LookalikeResult, align
from sonoproof.data.lookalike.search import find_lookalikes

__all__ = ["Link", "LookalikeResult", "align", "find_lookalikes"]
