import itertools

import pytest
from typer.testing import CliRunner

from sonoproof.cli import app
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


SEARCHED = [
    {"accuracy": "0.8"},
    {"precision": "0.67", "recall": "0.5"},
    {"f1": "0.40"},
    {"npv": "1.0"},
    {"precision": "0.0"},
    {"specificity": ".25", "npv": ".6"},
    {"precision": "1", "npv": "0.6", "accuracy": "0.6"},
]


@pytest.mark.parametrize("positives", [0, 8, 20])
@pytest.mark.parametrize("figures", SEARCHED)
def test_a_search_one_by_one_finds_the_same_matrices(figures: dict[str, str], positives: int) -> None:
    negatives = 20 - positives
    expected = []
    for tp, tn in itertools.product(range(positives + 1), range(negatives + 1)):
        fp, fn = negatives - tn, positives - tp
        quotients = {
            "accuracy": (tp + tn, 20),
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "f1": (2 * tp, 2 * tp + fp + fn),
            "npv": (tn, tn + fn),
            "specificity": (tn, tn + fp),
        }
        asked = [(quotients[name], text) for name, text in figures.items()]
        if all(
            bottom and abs(top / bottom - float(text)) <= 0.5 / 10 ** len(text.partition(".")[2]) + 1e-12
            for (top, bottom), text in asked
        ):
            expected.append({"tp": tp, "fp": fp, "tn": tn, "fn": fn})
    check = check_table(20, positives=positives, **figures)
    assert check.n_possible == len(expected)
    assert list(check.possible) == expected[:20]


def test_recall_of_the_wrong_class_is_suspected() -> None:
    # Of 60 positive and 40 negative rows: recall 50/60, precision 50/55; of the negative class 35/40 and 35/45.
    check = check_table(100, positives=60, recall="0.8750", precision="0.7778", accuracy="0.8500")
    assert check.n_possible == 0
    assert check.other_class == ({"tp": 35, "fp": 10, "tn": 50, "fn": 5},)
    assert "the classes may have been mixed up" in check.statement


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
        ({"recall": "high"}, "is not a number"),
        ({"recall": "."}, "is not a number"),
        ({"recall": "92"}, "percentages with the sign"),
        ({"auc": "0.9"}, "there are accuracy"),
        ({}, "no figure given"),
        ({"recall": 0.92}, "is not a number"),
        ({"recall": "0.9234567891"}, "more than 9 decimals"),
    ],
)
def test_what_cannot_be_read_is_refused(figures: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_table(10, positives=4, **figures)


def test_more_positives_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        check_table(10, positives=11, recall="0.5")
    with pytest.raises(ValueError, match="between 1 and 1000000"):
        check_table(0, positives=0, recall="0.5")


def test_many_decimals_of_many_rows_single_out_one_matrix() -> None:
    recall, n_negative = f"{777 / 1000:.9f}", 99_000
    check = check_table(100_000, positives=1000, recall=recall, specificity="0.500000000")
    assert check.possible == ({"tp": 777, "fp": n_negative // 2, "tn": n_negative // 2, "fn": 223},)


@pytest.mark.parametrize(("recall", "code"), [("0.67", 0), ("0.66", 1)])
def test_the_command_fails_where_no_confusion_matrix_gives_the_figures(recall: str, code: int) -> None:
    result = CliRunner().invoke(app, ["check-table", "--n", "3", "--positives", "3", "--recall", recall])
    assert result.exit_code == code
    assert f"recall {recall}" in result.output
