def test_reasons_are_counted_by_kind_and_not_by_the_row_that_they_name() -> None:
    reasons = ["has the opposite label: a.png", "is no image", "has the opposite label: b.png"]
    assert list(reason_counts(reasons).items()) == [("has the opposite label", 2), ("is no image", 1)]
