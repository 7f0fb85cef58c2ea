from __future__ import annotations

import itertools

from sonoproof.data.lookalike.groups import Edge, join


def clique(*members: int) -> list[Edge]:
    return list(itertools.combinations(members, 2))


def test_one_link_does_not_merge_two_large_groups() -> None:
    labels, waiting = join(8, [*clique(0, 1, 2, 3), *clique(4, 5, 6, 7), (3, 4)])
    assert labels.tolist() == [0, 0, 0, 0, 4, 4, 4, 4]
    assert waiting == [(3, 4)]


def test_a_second_link_supports_it() -> None:
    labels, waiting = join(8, [*clique(0, 1, 2, 3), *clique(4, 5, 6, 7), (3, 4), (3, 5)])
    assert set(labels.tolist()) == {0}
    assert waiting == []


def test_one_link_given_twice_supports_nothing() -> None:
    _, waiting = join(8, [*clique(0, 1, 2, 3), *clique(4, 5, 6, 7), (3, 4), (3, 4)])
    assert waiting == [(3, 4), (3, 4)]


def test_a_frame_joins_a_large_group_by_one_link() -> None:
    labels, waiting = join(6, [*clique(0, 1, 2, 3), (3, 5)])
    assert labels.tolist() == [0, 0, 0, 0, 4, 0]
    assert waiting == []


def test_support_may_come_over_a_group_joined_meanwhile() -> None:
    """0-3 and 4-7 are joined by two links; with them 8-11 has two links as well, one to each."""
    groups = [*clique(0, 1, 2, 3), *clique(4, 5, 6, 7), *clique(8, 9, 10, 11)]
    labels, _ = join(12, [*groups, (0, 4), (1, 5), (2, 8), (6, 9)])
    assert set(labels.tolist()) == {0}


def test_many_wrong_links_of_weight_one_leave_large_groups_apart() -> None:
    """A ring of ten groups, each tied to the next by a single wrong link."""
    groups = [tuple(range(5 * k, 5 * k + 5)) for k in range(10)]
    ring = [(groups[k][0], groups[(k + 1) % 10][1]) for k in range(10)]
    labels, waiting = join(50, [edge for group in groups for edge in clique(*group)] + ring)
    assert len(set(labels.tolist())) == 10
    assert waiting == ring
