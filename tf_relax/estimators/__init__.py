"""Gradient estimators: (draw, f's value, control variate) -> gradient.

One module an estimator. An estimator knows no model and no optimizer.
"""

from tf_relax.estimators._all import *
from tf_relax.estimators._bound import BoundEstimator as BoundEstimator
from tf_relax.estimators._bound import multi_sample_bound as multi_sample_bound
from tf_relax.estimators._checks import check_kind as check_kind
from tf_relax.estimators._estimator import Estimate as Estimate
from tf_relax.estimators._estimator import Estimator as Estimator
from tf_relax.estimators._estimator import GradientEstimate as GradientEstimate
from tf_relax.estimators._evaluate import (
    value_and_derivative as value_and_derivative,
)
from tf_relax.estimators._expectation import attached_value as attached_value
from tf_relax.estimators._expectation import expectation as expectation
from tf_relax.estimators._layers import check_layers as check_layers
from tf_relax.estimators._layers import layer_examples as layer_examples
from tf_relax.estimators._layers import LayerExamples as LayerExamples
from tf_relax.estimators._nvil import Baseline as Baseline
from tf_relax.estimators._registry import class_of as class_of
from tf_relax.estimators._registry import get as get
from tf_relax.estimators._registry import names as names
from tf_relax.estimators._registry import register as register
from tf_relax.estimators._reinforce import MovingAverage as MovingAverage
from tf_relax.estimators._relax_k import Coefficient as Coefficient
from tf_relax.estimators._rodeo import Surrogate as Surrogate
from tf_relax.estimators._weights import weight_gradients as weight_gradients
from tf_relax.estimators._weights import WeightGradients as WeightGradients
