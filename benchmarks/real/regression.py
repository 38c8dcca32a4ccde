"""School, SARCOS, Parkinson and three sets of Mulan: real-valued labels."""

from functools import partial

import numpy as np

from benchmarks.real.figures import Figure, arrmse, average
from benchmarks.real.job import LINEAR, NOT_CONVEX, QUICK, DataSet, Job, all_but, long_job, with_task
from mtlreg import StratifiedTaskKFold, melt

__all__ = ["DATA"]

MACRO_R2 = average("macro R2, %", "macro", 100)
SUBJECT_R2 = (MACRO_R2, average("n-weighted R2, %", "weighted", 100), average("pooled R2, %", "pooled", 100))


def _families(quick, left_out=(), more=()):
    return QUICK if quick else (*(name for name in LINEAR if name not in left_out), *more)


def _school(data, quick):
    X, y, task = data.school()
    kinds = {"pooled R2, %": "pooled", "n-weighted per-task R2, %": "weighted", "macro per-task R2, %": "macro"}
    figures = tuple(average(name, kind, 100) for name, kind in kinds.items())
    splits = [data.school(split)[3:] for split in data.SPLITS]
    job = partial(long_job, X=with_task(X, task), y=y, figures=figures, n_alphas=8, choose_by="pooled")
    if quick:
        return [job("139 schools, one split", splits=splits[:1], families=QUICK)]
    convex = all_but("l1", "mlp", "graph_fused", "tree", *NOT_CONVEX)
    slow = ("pooled_intercepts", "l21", "tree", *(name for name in NOT_CONVEX if name != "multi_level"))
    return [
        job("139 schools", splits=splits, families=convex),
        job(
            "139 schools, three of the splits, models that take longer",
            splits=splits[:3],
            families=slow,
            baselines=("pooled_intercepts",),
        ),
    ]


def _computer_survey(data, quick):
    """RMSE from the pooled R2, whose denominator is known."""
    X, Y = data.computer_survey()

    def rmse(result, job):
        spread = np.array([job.y[test].std() for _, test in job.splits])
        return np.sqrt(1 - result.overall["pooled"]) * spread

    families = QUICK if quick else all_but("graph_fused")
    figures = (Figure("RMSE", rmse, sign=-1, decimals=3), average("pooled R2, %", "pooled", 100))
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(X)) for _ in range(1 if quick else 10)]
    splits = [(np.sort(order[:12]), np.sort(order[12:])) for order in orders]
    return [Job("190 persons, 12 training ratings each", X, Y, splits, figures, families, choose_by="pooled")]


def _sarcos(data, quick):
    """Every torque has training rows of its own: one long table, in which torque t's label of row i is t * n + i."""
    X, Y = data.sarcos()
    X_long, y_long = melt(X, Y / Y.std(axis=0))
    nmse = Figure("nMSE", lambda result, job: 1 - result.overall["macro"], sign=-1, decimals=4)
    return [
        long_job(
            f"{n_rows} training rows a torque",
            X_long,
            y_long,
            [_own_rows(len(X), Y.shape[1], n_rows, seed) for seed in range(2 if quick else 10)],
            (nmse,),
            _families(quick, more=("net", "mlp")),
            few=True,
        )
        for n_rows in ((50,) if quick else (50, 150, 600))
    ]


def _own_rows(n, n_tasks, n_rows, seed, n_test=1449):
    """Test rows for all tasks; of the others each task draws its own."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    test, others = order[:n_test], order[n_test:]
    train = [t * n + rng.choice(others, n_rows, replace=False) for t in range(n_tasks)]
    return np.concatenate(train), np.concatenate([t * n + test for t in range(n_tasks)])


def _parkinsons(data, quick):
    X, Y, subject = data.parkinsons()
    X = with_task(X, subject)
    jobs = []
    for column, name in ((1, "total_UPDRS"), (0, "motor_UPDRS"))[: 1 if quick else 2]:
        splits = _folds(3, 1 if quick else 3, X, Y[:, column], task_feature=-1)
        families = _families(quick, left_out=("l1",), more=("net", "mlp"))
        jobs.append(long_job(name, X, Y[:, column], splits, SUBJECT_R2, families))
    return jobs


def _mulan(name, data, quick):
    X, Y = data.mulan(name)
    figures = (MACRO_R2, Figure("aRRMSE", arrmse, sign=-1, decimals=4))
    families = _families(quick, more=("net", "mlp"))
    return [Job(f"{Y.shape[1]} targets", X, Y / Y.std(axis=0), _folds(5, 2 if quick else 5, X, Y), figures, families)]


def _folds(n_splits, n_used, X, y, **options):
    """The first few of seeded folds."""
    return list(StratifiedTaskKFold(n_splits, classes=False, **options).split(X, y))[:n_used]


SCALED = "Labels are divided by their standard deviation, a constant for each task, so that no task dominates."

DATA = {
    "computer_survey": DataSet(
        "Computer survey",
        "Ratings from 0 to 10 of 20 computers, 13 attributes that are -1 or 1, tasks: 190 persons.",
        "Twelve computers for training, the same for all persons, eight for testing; ten random draws. Strengths are "
        "chosen by pooled R2: a person's R2 over four ratings says little. RMSE over all ratings of the test part.",
        _computer_survey,
        "RMSE in a survey (Zhang & Yang): single-task 2.381, clustered (Jacob) 2.072, MTRL 2.110, dirty 2.138, robust "
        "low rank 2.074; by another protocol.",
        "graph_fused (five minutes a split: its graph has up to 17955 edges), and families that need an order.",
    ),
    "school": DataSet(
        "School",
        "ILEA exam scores of 15362 pupils, 27 features, tasks: 139 schools of 22 to 251 pupils.",
        "The ten original 75/25 splits. Two definitions of R2 are in use and published tables mix them: the pooled "
        "one, 1 - SSE / sum (y - mean(y_test))^2, which credits differences between the schools' means, and the "
        "n-weighted mean of the schools' own R2. The macro mean counts every school the same. All models "
        "choose among eight strengths by pooled R2 in three folds: chosen by the mean of the schools' R2, which a few "
        "small schools rule, pooled_intercepts is a weaker yardstick (36.3 pooled R2).",
        _school,
        "pooled / n-weighted R2 in percent, ridge-type models on these splits: pooled 34.2 / 18.9, independent 35.1 / "
        "20.2, pooled slopes with a free intercept per school 37.75 (pooled R2; the yardstick), squared trace norm "
        "37.4 / 23.6, mean-regularised ridge 38.35 / 24.0.",
        "l1 (independent is its like), mlp (40 s a split), graph_fused (a general graph of up to 9591 edges), "
        "multi_level (four minutes a split), and "
        "families that need an order of the tasks.",
    ),
    "sarcos": DataSet(
        "SARCOS",
        "Inverse dynamics of a robot arm, 4449 rows (the test file), 21 features, tasks: 7 torques.",
        "Every torque has its own training rows, drawn at random from 3000, so that torques share few; tested on the "
        f"other 1449 rows, ten random draws. nMSE: 1 - R2, mean of the torques. {SCALED}",
        _sarcos,
        "nMSE of linear ridge at 50 / 150 / 600 rows .221 / .148 / .1225; a survey (Zhang & Yang) has single-task "
        ".1821, l2,1 .1568, trace norm .1531 (its number of rows is not known here).",
    ),
    "parkinsons": DataSet(
        "Parkinson",
        "5875 voice recordings, 19 features (age, sex and time of the test among them), tasks: 42 subjects.",
        "Three folds in which every subject is as frequent as in the whole, so that recordings of the same day stand "
        "in both parts: this asks how well scores between those seen are filled in. R2 of a subject's own scores; "
        "pooled R2 credits differences between the subjects' means.",
        _parkinsons,
        "explained variance in percent in a survey (Zhang & Yang): single-task 2.8, clustered (Jacob) 2.7, MTRL 12.0, "
        "Kang 33.6; by another protocol, so no yardstick for this table.",
        "l1 (over 20 s a fold).",
    ),
}

MULAN = {
    "slump": "Concrete slump: 103 rows, 7 features, 3 targets.",
    "wq": "Water quality: 1060 rows, 16 features, 14 targets (abundances of species).",
    "atp1d": "Airline ticket prices, next day: 337 rows, 411 features, 6 targets.",
}
DATA |= {
    name: DataSet(
        f"Mulan {name}",
        text,
        "Five folds. aRRMSE: mean over the targets of the RMSE relative to that of the training mean. " + SCALED,
        partial(_mulan, name),
    )
    for name, text in MULAN.items()
}
