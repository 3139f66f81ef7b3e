"""Draws b, z and z | b as pure functions of parameters and noise.

A *draw* is what an estimator sees of a distribution: the hard sample, its
score, and, where there is one, the relaxation `z` with `b = H(z)` and the
closed-form maps that carry a derivative with respect to `z` to the
distribution's parameters. It knows neither `f` nor a control variate.
"""

from tf_relax.relaxations._bernoulli import bernoulli_draw
from tf_relax.relaxations._bernoulli import BernoulliDraw
from tf_relax.relaxations._categorical import categorical_draw
from tf_relax.relaxations._categorical import CategoricalDraw
from tf_relax.relaxations._draw import Draw
from tf_relax.relaxations._draw import Gradients
from tf_relax.relaxations._draw import PathwiseDraw
from tf_relax.relaxations._draw import RelaxedDraw
from tf_relax.relaxations._interval import interval_draw
from tf_relax.relaxations._interval import IntervalDraw
from tf_relax.relaxations._noise import fold_seed
from tf_relax.relaxations._noise import open_normal
from tf_relax.relaxations._noise import open_uniform
from tf_relax.relaxations._noise import rows_of_batch
from tf_relax.relaxations._noise import split_seed
from tf_relax.relaxations._noise import validate_seed
from tf_relax.relaxations._normal import normal_draw

__all__ = [
    "BernoulliDraw",
    "CategoricalDraw",
    "Draw",
    "Gradients",
    "IntervalDraw",
    "PathwiseDraw",
    "RelaxedDraw",
    "bernoulli_draw",
    "categorical_draw",
    "fold_seed",
    "interval_draw",
    "normal_draw",
    "open_normal",
    "open_uniform",
    "rows_of_batch",
    "split_seed",
    "validate_seed",
]
