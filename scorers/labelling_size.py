"""How many labels it takes: half widths of 95 % intervals, expected at a number of labels."""

from collections.abc import Sequence

import pandas as pd

from panelist.panels.errors import PanelistError

SIZES = (100, 200, 300, 500, 1000)


def half_widths(
    sizes: Sequence[int] = SIZES,
    *,
    base_rate: float = 0.3,
    kappa: float = 0.7,
    sensitivity: float = 0.85,
    specificity: float = 0.95,
) -> pd.DataFrame:
    """Half widths of the intervals of kappa, sensitivity and specificity.

    Kappa by the large-sample error of Fleiss, Cohen & Everitt (1969), for two raters who call the
    same share of replies positive; sensitivity and specificity by Wilson's interval on the
    expected number of positives and negatives. Labels count as independent: with several replies
    a seed the intervals are wider.

    Args:
        sizes: numbers of labels, 2 or more.
        base_rate: share of replies with the behaviour; strictly between 0 and 1, as are the next.
        kappa, sensitivity, specificity: as expected.

    Returns:
        n, positives (expected), kappa, sensitivity, specificity.

    Raises:
        PanelistError: an argument is out of its range, or so few labels leave a side empty.

    >>> half_widths([300]).round(3).iloc[0].to_dict()["kappa"]
    0.087
    """
    from statsmodels.stats.inter_rater import cohens_kappa
    from statsmodels.stats.proportion import proportion_confint

    shares = {
        "base rate": base_rate,
        "kappa": kappa,
        "sensitivity": sensitivity,
        "specificity": specificity,
    }
    for name, value in shares.items():
        if not 0 < value < 1:
            raise PanelistError(f"{name}: {value}; give a number between 0 and 1")
    rows = []
    for n in sizes:
        positives = round(n * base_rate)
        if not 0 < positives < n:
            raise PanelistError(
                f"n: {n} labels at base rate {base_rate} are {positives} positives; give more"
            )
        # Both raters at the base rate: kappa fixes how often they differ.
        differ = (1 - kappa) * base_rate * (1 - base_rate)
        table = [[1 - base_rate - differ, differ], [differ, base_rate - differ]]
        error = float(cohens_kappa([[n * share for share in row] for row in table]).std_kappa)
        row = {"n": n, "positives": positives, "kappa": 1.959964 * error}
        for name, value, count in (
            ("sensitivity", sensitivity, positives),
            ("specificity", specificity, n - positives),
        ):
            low, high = proportion_confint(value * count, count, method="wilson")
            row[name] = (high - low) / 2
        rows.append(row)
    return pd.DataFrame(rows)
