"""One module and one line make an estimator; users' own are registered."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax.estimators import _registry
from tf_relax.models import estimator_names
from tf_relax.models import named_estimator


class _Own(tfr.Estimator):
    """REINFORCE in the user's own words."""

    def __init__(self, shift=0.5):
        self.shift = shift

    def gradient(self, draw, value, control_variate):
        signal = (value - self.shift)[..., tf.newaxis]
        return {"logits": signal * draw.score["logits"]}

    def get_config(self):
        return {"shift": self.shift}


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """Only here: other tests run over all registered names."""
    monkeypatch.setattr(_registry, "_ESTIMATORS", dict(_registry._ESTIMATORS))
    tfr.estimators.register("test_own")(_Own)


@pytest.mark.parametrize("name", tfr.estimators.names())
def test_a_registered_class_is_public_under_its_own_name(name):
    kind = tfr.estimators.class_of(name)
    module = f"tf_relax.estimators._{name}"
    if kind.__module__.startswith("tf_relax"):
        assert kind.__module__ == module
        assert getattr(tfr, kind.__name__) is kind
        assert getattr(tfr.estimators, kind.__name__) is kind


def test_a_user_s_own_is_known_by_name():
    assert "test_own" in tfr.estimators.names()
    assert "test_own" in estimator_names()
    assert isinstance(tfr.estimators.get("test_own", shift=1.0), _Own)
    assert isinstance(named_estimator("test_own"), _Own)


def test_a_user_s_own_is_saved_with_a_model(tmp_path):
    vae = tfr.models.DiscreteVAE("linear1", 4, estimator=_Own(shift=2.0))
    vae.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    assert isinstance(loaded.estimators[0], _Own)
    assert loaded.estimators[0].shift == 2.0


def test_a_class_may_be_registered_again_as_in_a_notebook():
    again = type("_Own", (tfr.Reinforce,), {"__module__": _Own.__module__})
    assert tfr.estimators.register("test_own")(again) is again
    assert tfr.estimators.class_of("test_own") is again


def test_a_name_that_is_taken():
    other = type("Other", (tfr.Reinforce,), {})
    with pytest.raises(ValueError, match="'disarm' is taken by .*DisARM.*Othe"):
        tfr.estimators.register("disarm")(other)
    assert tfr.estimators.class_of("disarm") is tfr.DisARM


def test_a_class_that_is_no_estimator():
    with pytest.raises(TypeError, match="subclasses of tf_relax.Estimator"):
        tfr.estimators.register("test_none")(np.ndarray)
    assert "test_none" not in tfr.estimators.names()


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda g: g, TypeError, "must return a dict"),
        (lambda g: {}, TypeError, "by logits. Received: none"),
        (lambda g: {"logit": g}, TypeError, "by logits. Received: logit of"),
        (lambda g: {"logits": g.numpy()}, TypeError, "must return tensors"),
        (
            lambda g: {"logits": g[tf.newaxis]},
            ValueError,
            "(1, 2, 4, 3) float32",
        ),
        (lambda g: {"logits": g[0]}, ValueError, "(2, 4, 3) float32. Received"),
        (
            lambda g: {"logits": tf.cast(g, tf.float64)},
            ValueError,
            "float64 of",
        ),
    ],
)
def test_what_gradient_must_return_is_said(returned, error, message):
    class Wrong(tfr.Estimator):
        def gradient(self, draw, value, control_variate):
            return returned(value[..., tf.newaxis] * draw.score["logits"])

    q = tfr.distributions.Bernoulli(logits=tf.zeros([4, 3]))
    f = lambda b: tf.reduce_sum(b, -1)
    with pytest.raises(error, match=re.escape(message)):
        Wrong().estimate(f, q, seed=(0, 0), num_samples=2)


def test_what_cannot_be_registered_is_named():
    class Nothing(tfr.Estimator):
        pass

    register = tfr.estimators.register
    with pytest.raises(TypeError, match=r"wants a name\. Received: 5"):
        register(5)
    with pytest.raises(TypeError, match=r"wants a name\. .*@register\("):
        register(_Own)
    with pytest.raises(TypeError, match="must have a method `gradient"):
        register("nothing")(Nothing)
    with pytest.raises(TypeError, match=r"an Estimator, or a list.*DisARM"):
        tfr.models.DiscreteVAE("linear1", 4, estimator=tfr.DisARM)
