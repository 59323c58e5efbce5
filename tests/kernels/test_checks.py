"""The checks accept what is right, refuse what is wrong, and refuse to be toothless."""

import numpy as np
import pytest

from utils import checks as check
from utils.checks import EVIDENCE_MIME

GAUSS = np.random.default_rng(5).normal(size=10_000)


@pytest.fixture
def shown(monkeypatch):
    """What the checks displayed."""
    shown = []
    monkeypatch.setattr(check, "display", shown.append)
    return shown


def test_equal_shows_one_line_with_its_evidence(shown):
    check.equal(
        "eq-a",
        [1.0, 2.0],
        [1.0, 2.0 + 1e-13],
        rtol=1e-12,
        rivals={"off by one": [2.0, 3.0]},
    )
    bundle = shown[0]._repr_mimebundle_()
    assert (
        bundle["text/plain"]
        == "✓ eq-a: equal · rtol 1e-12 · 2 values · rejects off by one"
    )
    assert bundle["text/html"].startswith(
        '<div class="check" data-check="eq-a">✓ <code>eq-a</code>'
    )
    assert bundle[EVIDENCE_MIME] == {
        "label": "eq-a",
        "method": "equal",
        "tolerance": "rtol 1e-12",
        "count": 2,
        "rivals": ["off by one"],
    }


def test_html_is_escaped(shown):
    check.holds("eq-a", True, because="a < b & c")
    assert "a &lt; b &amp; c" in shown[0]._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("options", "stated"),
    [
        ({}, "exact"),
        ({"atol": 0.05}, "atol 0.05"),
        ({"rtol": 1e-3, "atol": 0.2}, "rtol 0.001 atol 0.2"),
    ],
)
def test_equal_states_its_tolerance(shown, options, stated):
    check.equal("eq-a", 3, 3.0, **options)
    assert shown[0].summary == f"equal · {stated} · 1 value"


def test_equal_tolerances_are_sharp(shown):
    check.equal("eq-a", 101.0, 100.0, rtol=0.01)
    check.equal("eq-a", 100.5, 100.0, atol=0.5)
    check.equal("eq-a", 1j, 1j)
    check.equal("eq-a", 102.5, 100.0, atol=0.5, rtol=0.02)
    for got, want, options in [
        (101.1, 100.0, {"rtol": 0.01}),
        (98.9, 100.0, {"rtol": 0.01}),
        (100.51, 100.0, {"atol": 0.5}),
        (102.6, 100.0, {"atol": 0.5, "rtol": 0.02}),
        (1.0, 1.0 + 1e-15, {}),
        (-1.0, 1.0, {"rtol": 1.0}),
        (1j, -1j, {"atol": 1.0}),
    ]:
        with pytest.raises(AssertionError, match="eq-a"):
            check.equal("eq-a", got, want, **options)
    assert len(shown) == 4


def test_equal_names_the_worst_component():
    with pytest.raises(
        AssertionError,
        match=r"eq-a: worst at index \(1, 0\): got 7, want 3, rtol=0 atol=1",
    ):
        check.equal(
            "eq-a", [[1.0, 2.0], [7.0, 5.5]], [[1.0, 2.0], [3.0, 4.0]], atol=1.0
        )


def test_equal_compares_with_one_number_but_not_with_another_shape(shown):
    check.equal("eq-a", [2.0, 2.0], 2.0)
    assert shown[0].count == 2
    with pytest.raises(ValueError, match=r"want must have shape \(2,\), got \(2, 1\)"):
        check.equal("eq-a", [1.0, 2.0], [[1.0], [2.0]])
    with pytest.raises(
        ValueError, match=r"rival 'r' must have shape \(2,\), got \(3,\)"
    ):
        check.equal("eq-a", [1.0, 2.0], [1.0, 2.0], rivals={"r": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("got", "want", "message"),
    [
        ([], [], "got must be finite and not empty"),
        ([np.nan], [np.nan], "got must be finite"),
        ([1.0], [np.inf], "want must be finite"),
        (["a"], ["a"], "got must be numbers, got <U1"),
    ],
)
def test_equal_refuses_what_cannot_be_compared(got, want, message):
    with pytest.raises(ValueError, match=message):
        check.equal("eq-a", got, want, atol=1.0)


def test_equal_refuses_one_object_twice_and_a_rival_that_is_not_a_number():
    with pytest.raises(ValueError, match="same object"):
        check.equal("eq-a", GAUSS, GAUSS)
    with pytest.raises(ValueError, match="rival 'nan' must be finite"):
        check.equal("eq-a", 1.0, 1.0, rivals={"nan": np.nan})


def test_an_accepted_rival_fails_every_kind_of_check():
    message = "eq-a: the rival 'same' is accepted"
    with pytest.raises(AssertionError, match=message):
        check.equal("eq-a", 1.0, 1.0, rivals={"other": 2.0, "same": 1.0})
    with pytest.raises(AssertionError, match=message):
        check.sampled(
            "eq-a", GAUSS, 0.0, resolves=0.1, rivals={"other": 1.0, "same": 0.001}
        )
    with pytest.raises(AssertionError, match=message):
        check.order("eq-a", [1, 2, 4], [1, 4, 16], 2, rivals={"same": 2.04})
    with pytest.raises(AssertionError, match=message):
        check.holds("eq-a", True, because="so", rivals={"same": [True, True]})


def test_a_rival_is_rejected_by_one_component_alone(shown):
    check.equal("eq-a", [1.0, 2.0], [1.0, 2.0], rivals={"r": [1.0, 2.1]})
    check.sampled(
        "eq-a", np.stack([GAUSS, GAUSS], 1), 0.0, resolves=0.1, rivals={"r": [0.0, 1.0]}
    )
    check.holds("eq-a", [True, True], because="so", rivals={"r": [True, False]})
    assert [evidence.rivals for evidence in shown] == [("r",)] * 3


def test_sampled_accepts_the_mean_and_states_its_power(shown):
    check.sampled("eq-a", GAUSS + 1, 1.0, resolves=0.05)
    assert shown[0].summary == "sampled · 4 s.e., resolves 0.05 · 10000 values"


def test_sampled_band_is_z_standard_errors(shown):
    error, ones = GAUSS.std(ddof=1) / 100, GAUSS + 1
    check.sampled("eq-a", ones, ones.mean() + 2.99 * error, z=3.0, resolves=0.1)
    with pytest.raises(AssertionError, match=r"3 s\.e\. = 0\.0"):
        check.sampled("eq-a", GAUSS, GAUSS.mean() + 3.01 * error, z=3.0, resolves=0.1)
    with pytest.raises(AssertionError, match="worst at index"):
        check.sampled("eq-a", GAUSS, GAUSS.mean() - 3.01 * error, z=3.0, resolves=0.1)
    with pytest.raises(
        AssertionError, match=r"no power, 4 standard errors are 0\.04.*resolve 0\.03;"
    ):
        check.sampled("eq-a", GAUSS, 0.0, resolves=0.03)
    small = np.array([0.0, 1.0, 2.0, 3.0])  # sd(ddof=1)/2 = 0.6455
    why = "four draws"
    check.sampled("eq-a", small, 1.5 + 2.58, resolves=2.59, blind=why)
    with pytest.raises(AssertionError, match="no power"):
        check.sampled("eq-a", small, 1.5, resolves=2.58)


def test_sampled_checks_every_column(shown):
    both = np.stack([GAUSS, GAUSS + 1], axis=1)
    check.sampled("eq-a", both, [0.0, 1.0], resolves=0.1)
    with pytest.raises(AssertionError, match=r"worst at index \(1,\)"):
        check.sampled("eq-a", both, [0.0, 1.1], resolves=0.1)
    with pytest.raises(AssertionError, match="no power"):
        check.sampled("eq-a", both * [1, 10], [0.0, 10.0], resolves=0.1)


def test_sampled_names_what_is_not_finite():
    with pytest.raises(ValueError, match=r"^eq-a: want must be finite"):
        check.sampled("eq-a", GAUSS, np.nan, resolves=1.0)
    with pytest.raises(ValueError, match=r"^eq-a: samples must be finite"):
        check.sampled("eq-a", [1.0, np.nan], 0.0, resolves=1.0)


@pytest.mark.parametrize("samples", [[1.0], np.zeros((2, 2, 2))])
def test_sampled_refuses_other_shapes(samples):
    with pytest.raises(
        ValueError, match=r"samples must be \(n,\) or \(n, k\) with n >= 2, got \("
    ):
        check.sampled("eq-a", samples, 0.0, resolves=1.0)


def test_order_measures_the_slope(shown):
    h = np.array([0.1, 0.2, 0.4])
    check.order("eq-a", h, 3 * h**1.95, 2, rivals={"first": 1})
    assert shown[0].summary == "order 2 · slope within 0.05 · 3 values · rejects first"
    with pytest.raises(
        AssertionError, match=r"eq-a: measured order 1\.8, want 2 within 0\.05"
    ):
        check.order("eq-a", h, h**1.8, 2)
    with pytest.raises(AssertionError, match=r"measured order 2\.2"):
        check.order("eq-a", h, h**2.2, 2)
    with pytest.raises(AssertionError, match="accepted"):
        check.order("eq-a", h, h**2, 2, atol=0.5, rivals={"near": 2.4})


@pytest.mark.parametrize(
    ("h", "err", "message"),
    [
        ([1, 2], [1, 2], "three distinct steps"),
        ([1, 2, 2], [1, 2, 3], "three distinct steps"),
        ([1, 2, 3], [1, 2], "three distinct steps"),
        ([[1, 2, 3]], [[1, 2, 3]], "three distinct steps"),
        ([0, 1, 2], [1, 2, 3], "must be positive"),
        ([1, 2, 3], [1, 0, 3], "must be positive"),
        ([1, 2, np.nan], [1, 2, 3], "h must be finite"),
        ([1, 2, 3], [1, 2, np.inf], "err must be finite"),
    ],
)
def test_order_refuses(h, err, message):
    with pytest.raises(ValueError, match=f"^eq-a: .*{message}"):
        check.order("eq-a", h, err, 1)


def test_holds_names_the_first_failure(shown):
    check.holds("eq-a", np.ones((2, 3), bool), because="six cases")
    assert shown[0].summary == "holds · six cases · 6 values"
    with pytest.raises(
        AssertionError, match=r"eq-a: fails at index \(0, 1\) \(two cases\)"
    ):
        check.holds("eq-a", [[True, False]], because="two cases")


def test_a_check_that_would_accept_ten_percent_is_refused():
    h = np.array([1.0, 2.0, 4.0])
    for planted in (
        lambda: check.equal("eq-a", 1.0, 1.02, rtol=0.12),
        lambda: check.equal("eq-a", [2.0, 1e-9], [2.1, 1e-9], atol=0.15),
        lambda: check.sampled("eq-a", GAUSS + 0.3, 0.3, resolves=0.05),
        lambda: check.order("eq-a", h, h**0.48, 0.5, atol=0.05),
    ):
        with pytest.raises(
            AssertionError, match=r"^eq-a: (0\.9|1\.1) times .* passes, too: sharpen"
        ):
            planted()


def test_one_direction_is_not_enough():
    with pytest.raises(AssertionError, match=r"eq-a: 1\.1 times"):
        check.equal("eq-a", 1.05, 1.0, rtol=0.06)
    with pytest.raises(AssertionError, match=r"eq-a: 0\.9 times"):
        check.equal("eq-a", 0.95, 1.0, rtol=0.06)
    with pytest.raises(AssertionError, match=r"eq-a: 0\.9 times"):
        check.equal("eq-a", -0.95, -1.0, rtol=0.06)


def test_one_component_that_sees_it_is_enough(shown):
    check.equal("eq-a", [5.0, 1.0], [5.0, 1.0], atol=0.2)
    assert len(shown) == 1


def test_a_blind_check_says_why_and_a_seeing_one_may_not(shown):
    check.sampled("eq-a", GAUSS + 0.3, 0.3, resolves=0.05, blind="a hundred draws")
    assert shown[0].summary.endswith("values · does not see 10 %: a hundred draws")
    bundle = shown[0]._repr_mimebundle_()
    assert bundle[EVIDENCE_MIME]["blind"] == "a hundred draws"
    h = np.array([1.0, 2.0, 4.0])
    check.order("eq-a", h, h**0.48, 0.5, atol=0.05, blind="a slow limit")
    for seeing in (
        lambda: check.sampled("eq-a", GAUSS + 1, 1.0, resolves=0.05, blind="so"),
        lambda: check.order("eq-a", h, h**2, 2, blind="so"),
    ):
        with pytest.raises(AssertionError, match="sees 10 % although it says"):
            seeing()


def test_an_expected_zero_needs_a_rival(shown):
    for planted in (
        lambda: check.equal("eq-a", 1e-9, 0.0, atol=1e-6),
        lambda: check.sampled("eq-a", GAUSS, 0.0, resolves=0.1),
    ):
        with pytest.raises(AssertionError, match="eq-a: 0 has no 10 %, a rival must"):
            planted()
    check.equal("eq-a", 1e-9, 0.0, atol=1e-6, rivals={"one": 1.0})


@pytest.mark.parametrize("condition", [[], [1, 1], 1.0])
def test_holds_refuses_what_is_not_boolean(condition):
    with pytest.raises(ValueError, match="must be booleans"):
        check.holds("eq-a", condition, because="so")


def test_outside_a_notebook_the_line_is_printed(capsys):
    check.equal("eq-a", 1, 1)
    assert capsys.readouterr().out == "✓ eq-a: equal · exact · 1 value\n"
