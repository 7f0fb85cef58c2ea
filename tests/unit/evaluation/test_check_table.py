import itertools

import pytest

from sonoproof.evaluation.check_table import check_table


def test_figures_that_no_matrix_gives_are_found_out() -> None:
    check = check_table(1468, positives=1050, accuracy=".8428", precision="1.0", recall=".9199")
    assert check.n_possible == check.n_cut_off == 0
    assert check.statement.startswith("No confusion matrix gives accuracy .8428, precision 1.0, recall .9199")


def test_the_matrix_behind_true_figures_is_listed() -> None:
    tp, fp, tn, fn = 90, 13, 110, 21
    check = check_table(
        234,
        positives=111,
        accuracy=f"{(tp + tn) / 234:.4f}",
        precision=f"{tp / (tp + fp):.4f}",
        recall=f"{tp / (tp + fn):.4f}",
        f1=f"{2 * tp / (2 * tp + fp + fn):.4f}",
        npv=f"{tn / (tn + fn):.4f}",
        specificity=f"{100 * tn / (tn + fp):.2f} %",
    )
    assert check.possible == ({"tp": tp, "fp": fp, "tn": tn, "fn": fn},)


@pytest.mark.parametrize("figures", [{"accuracy": "0.8"}, {"precision": "0.67", "recall": "0.5"}, {"f1": "0.40"}])
def test_a_search_by_hand_finds_the_same_matrices(figures: dict[str, str]) -> None:
    def value(name: str, tp: int, fp: int, tn: int, fn: int) -> float:
        quotients = {
            "accuracy": (tp + tn, 20), "precision": (tp, tp + fp), "recall": (tp, 8), "f1": (2 * tp, 2 * tp + fp + fn),
        }  # fmt: skip
        top, bottom = quotients[name]
        return top / bottom if bottom else -1.0

    expected = []
    for tp, tn in itertools.product(range(9), range(13)):
        cells = {"tp": tp, "fp": 12 - tn, "tn": tn, "fn": 8 - tp}
        decimals = {name: len(text.partition(".")[2]) for name, text in figures.items()}
        if all(
            abs(value(name, **cells) - float(text)) <= 0.5 * 10 ** -decimals[name] + 1e-12
            for name, text in figures.items()
        ):
            expected.append(cells)
    check = check_table(20, positives=8, **figures)
    assert check.n_possible == len(expected) > 0
    assert list(check.possible) == expected[:20]


def test_recall_of_the_wrong_class_is_suspected() -> None:
    # Of 60 positive and 40 negative rows: recall 50/60, precision 50/55; of the negative class 35/40 and 35/45.
    check = check_table(100, positives=60, recall="0.8750", precision="0.7778", accuracy="0.8500")
    assert check.n_possible == 0
    assert check.other_class == ({"tp": 35, "fp": 10, "tn": 50, "fn": 5},)
    assert "the class may have been mixed up" in check.statement


def test_digits_cut_off_are_told_from_digits_rounded() -> None:
    check = check_table(3, positives=3, recall="0.66")
    assert (check.n_possible, check.n_cut_off) == (0, 1)
    assert "cut off" in check.statement
    assert check_table(3, positives=3, recall="0.67").n_possible == 1


def test_precision_without_any_call_is_no_figure() -> None:
    assert check_table(10, positives=4, precision="0.0", recall="0.00").n_possible == 6  # fp from 1 to 6, not 0


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"recall": "high"}, "is no figure"),
        ({"recall": "."}, "is no figure"),
        ({"recall": "92"}, "percentages with the sign"),
        ({"auc": "0.9"}, "there are accuracy"),
        ({}, "no figure given"),
        ({"recall": 0.92}, "is no figure"),
    ],
)
def test_what_cannot_be_read_is_refused(figures: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_table(10, positives=4, **figures)


def test_more_positives_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        check_table(10, positives=11, recall="0.5")
