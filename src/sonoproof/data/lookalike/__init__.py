"""Look-alikes: which frames are views of one source?"""

from sonoproof.data.lookalike.links import Link, LookalikeResult, align
from sonoproof.data.lookalike.search import find_lookalikes
from sonoproof.data.lookalike.spool import Entry, ViewSpool

__all__ = ["Entry", "Link", "LookalikeResult", "ViewSpool", "align", "find_lookalikes"]
