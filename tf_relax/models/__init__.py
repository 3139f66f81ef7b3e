"""Keras models that are trained by the estimators."""

from tf_relax.models._architectures import architecture
from tf_relax.models._architectures import architectures
from tf_relax.models._discrete_vae import DiscreteVAE
from tf_relax.models._finite import changing
from tf_relax.models._finite import Tracer
from tf_relax.models._named import estimator_names
from tf_relax.models._named import named_estimator
from tf_relax.models._replicas import Replicas
from tf_relax.models._trainer import EstimatorTrainer

__all__ = [
    "DiscreteVAE",
    "EstimatorTrainer",
    "Replicas",
    "Tracer",
    "architecture",
    "architectures",
    "changing",
    "estimator_names",
    "named_estimator",
]
