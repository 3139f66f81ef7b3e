"""Policy gradients by the estimators, of many runs side by side."""

from tf_relax.rl._classic_control import Acrobot
from tf_relax.rl._classic_control import CartPole
from tf_relax.rl._classic_control import make_environment
from tf_relax.rl._classic_control import MountainCarContinuous
from tf_relax.rl._classic_control import Pendulum
from tf_relax.rl._control_variate import ActionValue
from tf_relax.rl._environment import Environment
from tf_relax.rl._environment import Transition
from tf_relax.rl._gradient import policy_gradient
from tf_relax.rl._gradient import PolicyGradient
from tf_relax.rl._learner import Learner
from tf_relax.rl._learner import Progress
from tf_relax.rl._perceptron import Perceptrons
from tf_relax.rl._players import EpisodePlayer
from tf_relax.rl._players import GymnasiumPlayer
from tf_relax.rl._players import TensorFlowPlayer
from tf_relax.rl._policies import CategoricalPolicy
from tf_relax.rl._policies import GaussianPolicy
from tf_relax.rl._policies import Policy
from tf_relax.rl._rollout import discounted_returns
from tf_relax.rl._rollout import rollout
from tf_relax.rl._rollout import Trajectories

__all__ = [
    "Acrobot",
    "ActionValue",
    "CartPole",
    "CategoricalPolicy",
    "Environment",
    "EpisodePlayer",
    "GaussianPolicy",
    "GymnasiumPlayer",
    "Learner",
    "MountainCarContinuous",
    "Pendulum",
    "Perceptrons",
    "Policy",
    "PolicyGradient",
    "Progress",
    "TensorFlowPlayer",
    "Trajectories",
    "Transition",
    "discounted_returns",
    "make_environment",
    "policy_gradient",
    "rollout",
]
