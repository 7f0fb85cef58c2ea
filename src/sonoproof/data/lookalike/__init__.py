"""Look-alikes: which frames are views of one source?

```text
frames  -> views       a normalised grey picture and its RootSIFT, on disk    keypoints, spool
views   -> candidates  frames as bags of visual words; the most similar       visual_words, index, candidates
                       frames first, then the most similar groups
pairs   -> evidence    matched features, an affine map, aligned pixels        pair_check, pixels
        -> links       enough of both; what has less is suspected             verdict
links   -> sources     joined, guarded against a single wrong link            groups
```

Few pairs are compared, in rounds, never all with all (`comparisons`).

The k-means and the inverted index are our own, for the sake of equal results on every machine. Descriptors and centres
are integers and all sums of their products stay below 2^24, so that float32 arithmetic is exact in whatever order a
machine adds, and a nearest centre is the same one everywhere. A library's k-means (mini-batches, its own
initialisation, sums in any order) gives other words on another processor, hence other candidates, and with them other
sources and another split.
"""

from sonoproof.data.lookalike.links import Link, LookalikeResult, align
from sonoproof.data.lookalike.search import find_lookalikes
from sonoproof.data.lookalike.spool import Entry, ViewSpool

__all__ = ["Entry", "Link", "LookalikeResult", "ViewSpool", "align", "find_lookalikes"]
