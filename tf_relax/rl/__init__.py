"""Policy gradients by the estimators, of many runs side by side."""

from tf_relax.rl._classic_control import Acrobot
from tf_relax.rl._classic_control import CartPole
from tf_relax.rl._classic_control import MountainCarContinuous
from tf_relax.rl._classic_control import Pendulum
from tf_relax.rl._control_variate import ActionValue
from tf_relax.rl._environment import Environment
from tf_relax.rl._environment import Transition
from tf_relax.rl._gradient import OBJECTIVES
from tf_relax.rl._gradient import policy_gradient
from tf_relax.rl._gradient import PolicyGradient
from tf_relax.rl._learner import Learner
from tf_relax.rl._learner import Optimizers
from tf_relax.rl._learner import Recipe
from tf_relax.rl._normaliser import Normaliser
from tf_relax.rl._perceptron import Perceptrons
from tf_relax.rl._player import Player
from tf_relax.rl._player import Progress
from tf_relax.rl._policies import CategoricalPolicy
from tf_relax.rl._policies import GaussianPolicy
from tf_relax.rl._policies import Policy
from tf_relax.rl._rollout import begin
from tf_relax.rl._rollout import rollout
from tf_relax.rl._rollout import rollout_steps
from tf_relax.rl._rollout import Running
from tf_relax.rl._synthetic import ContextualBandit
from tf_relax.rl._synthetic import LinearQuadratic
from tf_relax.rl._tasks import make_environment
from tf_relax.rl._tasks import TASKS
from tf_relax.rl._tensorflow_player import TensorFlowPlayer
from tf_relax.rl._trajectories import discounted_returns
from tf_relax.rl._trajectories import Trajectories
from tf_relax.rl._variance import gradient_variances
from tf_relax.rl._variance import GradientVariance
from tf_relax.rl._variance import VarianceMeter
from tf_relax.rl._vector_environment import VectorEnvironment
from tf_relax.rl._vector_player import VectorPlayer

__all__ = [
    "Acrobot",
    "ActionValue",
    "CartPole",
    "CategoricalPolicy",
    "ContextualBandit",
    "Environment",
    "GaussianPolicy",
    "GradientVariance",
    "Learner",
    "LinearQuadratic",
    "MountainCarContinuous",
    "Normaliser",
    "OBJECTIVES",
    "Optimizers",
    "Pendulum",
    "Perceptrons",
    "Player",
    "Policy",
    "PolicyGradient",
    "Progress",
    "Recipe",
    "Running",
    "TASKS",
    "TensorFlowPlayer",
    "Trajectories",
    "Transition",
    "VarianceMeter",
    "VectorEnvironment",
    "VectorPlayer",
    "begin",
    "discounted_returns",
    "gradient_variances",
    "make_environment",
    "policy_gradient",
    "rollout",
    "rollout_steps",
]
