"""The coding of labels: a wrong positive class turns every clinical number round."""

from __future__ import annotations

import pytest

from sonoproof.classes import Classes
from sonoproof.data.labels.coding import code_labels
from sonoproof.data.labels.labelvalues import LabelColumn, LabelValue
from sonoproof.errors import CohortError, ConfigError, SheetError


def values(**counts: int) -> list[LabelValue]:
    return [LabelValue(text, count, row) for row, (text, count) in enumerate(counts.items(), start=2)]


def coded(column: str, counts: dict[str, int], positive: str = "") -> tuple[Classes, dict[str, str]]:
    coding = code_labels(values(**counts), column=LabelColumn(column), positive=positive)
    return coding.classes, coding.labels


HEALTHY = Classes(negative="healthy", positive="unhealthy")


@pytest.mark.parametrize("column", ["Healthy", "healthy", "Normal", "is_normal", "Healthy (1 = yes)", "Gesund"])
@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("Yes", "NO"), ("ja", "nein"), ("oui", "non"), ("TRUE", "FALSE")])
def test_in_a_column_named_for_health_yes_is_the_negative_class(column: str, yes: str, no: str) -> None:
    assert coded(column, {yes: 5, no: 5}) == (HEALTHY, {yes: "healthy", no: "unhealthy"})


@pytest.mark.parametrize(
    ("column", "positive", "negative"),
    [
        ("Unhealthy", "unhealthy", "healthy"),
        ("not healthy", "unhealthy", "healthy"),
        ("abnormal", "abnormal", "normal"),
        ("PCOS", "pcos", "not pcos"),
        ("has_pneumonia", "pneumonia", "not pneumonia"),
        ("label", "label 1", "label 0"),
        ("y", "y 1", "y 0"),
    ],
)
def test_in_any_other_column_one_is_the_positive_class(column: str, positive: str, negative: str) -> None:
    assert coded(column, {"0": 9, "1": 3}) == (Classes(negative, positive), {"0": negative, "1": positive})


@pytest.mark.parametrize(
    ("column", "yes"),
    [
        ("Healthy (yes/no)", "healthy"),
        ("Healthy: yes=1, no=0", "healthy"),
        ("Healthy: yes=0, no=1", "Healthy: yes=0, no=1 1"),
        ("Diagnosis (0=PCOS, 1=normal)", "Diagnosis (0=PCOS, 1=normal) 1"),
        ("Healthy (1 = no, 0 = yes)", "Healthy (1 = no, 0 = yes) 1"),
        ("NonHealthy", "unhealthy"),
        ("PCOS (Y/N)", "pcos"),
        ("without_PCOS", "not pcos"),
        ("PCOS-free", "not pcos"),
        ("kein Krebs", "not krebs"),
        ("PCOS negative", "PCOS negative 1"),
        ("COVID-19 positive", "covid"),
        ("normal/abnormal", "normal/abnormal 1"),
        ("benign_or_malignant", "benign_or_malignant 1"),
    ],
)
def test_what_yes_means_under_a_name_that_says_more(column: str, yes: str) -> None:
    assert coded(column, {"0": 9, "1": 3})[1]["1"] == yes


def test_a_column_named_for_a_benign_finding_has_it_negative() -> None:
    classes, labels = coded("benign", {"0": 9, "1": 3})
    assert classes == Classes(negative="benign", positive="not benign")
    assert labels["1"] == "benign"


@pytest.mark.parametrize(
    ("counts", "positive"),
    [
        ({"benign": 5, "malignant": 4}, "malignant"),
        ({"MALIGNANT": 5, "benign": 4}, "MALIGNANT"),
        ({"normal": 3, "abnormal": 9}, "abnormal"),
        ({"PCOS": 3, "non-PCOS": 9}, "PCOS"),
        ({"no PCOS": 3, "PCOS": 9}, "PCOS"),
        ({"regular": 3, "covid": 9}, "covid"),
        ({"normal": 3, "hydatid": 9}, "hydatid"),
        ({"negativ": 3, "positiv": 9}, "positiv"),
        ({"not xyz": 3, "xyz": 9}, "xyz"),
    ],
)
def test_two_words_are_told_apart_by_meaning(counts: dict[str, int], positive: str) -> None:
    assert coded("class", counts)[0].positive == positive
    assert coded("class", dict(reversed(counts.items())))[0].positive == positive


@pytest.mark.parametrize(
    "counts",
    [
        {"A": 5, "B": 5},
        {"1": 5, "2": 5},
        {"normal": 5, "benign": 5},
        {"covid": 5, "pneumonia": 5},
        {"a": 1, "b": 1, "c": 1},
    ],
)
def test_what_does_not_say_which_is_positive_is_a_question(counts: dict[str, int]) -> None:
    with pytest.raises(SheetError, match="--positive") as raised:
        coded("class", counts)
    assert len(raised.value.faults) == len(counts)


def test_spellings_of_one_value_are_one_class() -> None:
    classes, labels = coded("diagnosis", {"Malignant": 5, "benign": 4, "malignant ": 2, "BENIGN": 1})
    assert classes == Classes(negative="benign", positive="Malignant")
    assert labels == {"Malignant": "Malignant", "malignant ": "Malignant", "benign": "benign", "BENIGN": "benign"}


@pytest.mark.parametrize("positive", ["healthy", "Healthy ", "1", "yes"])
def test_positive_turns_a_column_of_health_round(positive: str) -> None:
    classes, labels = coded("Healthy", {"1": 5, "0": 5}, positive)
    assert classes == Classes(negative="unhealthy", positive="healthy")
    assert labels == {"1": "healthy", "0": "unhealthy"}


@pytest.mark.parametrize("positive", ["unhealthy", "0", "no"])
def test_positive_may_confirm_a_column_of_health(positive: str) -> None:
    assert coded("Healthy", {"1": 5, "0": 5}, positive)[0] == HEALTHY


@pytest.mark.parametrize(("positive", "name"), [("0", "label 0"), ("label 0", "label 0"), ("1", "label 1")])
def test_positive_names_a_value_or_its_class(positive: str, name: str) -> None:
    assert coded("label", {"1": 5, "0": 5}, positive)[0].positive == name


def test_positive_against_the_rest() -> None:
    counts = {"normal": 5, "benign": 3, "malignant": 2}
    classes, labels = coded("class", counts, "Malignant")
    assert classes == Classes(negative="not malignant", positive="malignant")
    assert labels == {"normal": "not malignant", "benign": "not malignant", "malignant": "malignant"}


def test_unknown_positive_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'malignant'"):
        coded("class", {"normal": 5, "benign": 3, "malignant": 2}, "malignat")
    with pytest.raises(ConfigError, match="'healthy', 'unhealthy'"):
        coded("Healthy", {"1": 5, "0": 5}, "maybe")


def test_values_that_say_the_label_is_not_known_are_set_aside() -> None:
    coding = code_labels(values(**{"1": 5, "0": 5, "?": 4, "N/A": 3}), column=LabelColumn("Healthy"))
    assert set(coding.unusable) == {"?", "N/A"}
    assert "?" not in coding.labels


def test_a_rare_third_class_is_not_taken_for_a_misspelling() -> None:
    with pytest.raises(SheetError, match="3 classes"):
        coded("class", {"grade 1": 300, "grade 2": 300, "grade 3": 2})
    with pytest.raises(SheetError, match="3 classes"):
        coded("label", {"0": 300, "1": 300, "2": 1})


def test_many_further_values_under_a_name_of_health_are_a_question() -> None:
    with pytest.raises(SheetError, match="--positive"):
        coded("Healthy", {"0": 5, "1": 5, "2": 5})


@pytest.mark.parametrize(("column", "counts"), [("Healthy", {"1": 7}), ("class", {"benign": 7}), ("label", {"0": 7})])
def test_one_value_only(column: str, counts: dict[str, int]) -> None:
    with pytest.raises(CohortError, match="only one class: all 7"):
        coded(column, counts)


def test_no_label_at_all() -> None:
    with pytest.raises(SheetError, match="holds no label"):
        coded("Healthy", {"?": 3})


@pytest.mark.parametrize(
    ("column", "counts", "classes", "expected"),
    [
        ("Healthy", {"0": 3}, HEALTHY, {"0": "unhealthy"}),
        ("Unhealthy", {"0": 3}, HEALTHY, {"0": "healthy"}),
        ("label", {"1": 3}, Classes("label 0", "label 1"), {"1": "label 1"}),
        ("label", {"1": 3}, Classes("label 1", "label 0"), {"1": "label 1"}),
        ("truth", {"Malignant": 3}, Classes("benign", "malignant"), {"Malignant": "malignant"}),
        ("truth", {"pcos": 3, "normal": 2}, HEALTHY, {"pcos": "unhealthy", "normal": "healthy"}),
        ("truth", {"PCOS": 1, "cyst": 1}, Classes("not PCOS", "PCOS"), {"PCOS": "PCOS", "cyst": "not PCOS"}),
    ],
)
def test_labels_of_a_test_sheet_are_assigned_to_the_classes_of_the_model(
    column: str, counts: dict[str, int], classes: Classes, expected: dict[str, str]
) -> None:
    coding = code_labels(values(**counts), column=LabelColumn(column), classes=classes)
    assert coding.classes == classes
    assert coding.labels == expected


def test_labels_that_do_not_name_the_classes_of_the_model() -> None:
    with pytest.raises(SheetError, match="do not name the classes"):
        code_labels(values(**{"1": 3, "0": 3}), column=LabelColumn("label"), classes=HEALTHY)
