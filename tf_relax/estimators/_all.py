"""Every estimator: one line each, beside its module.

The line registers the class and exports it, here and from the packages above.
"""

from tf_relax.estimators._arm import ARM as ARM
from tf_relax.estimators._arms import ARMS as ARMS
from tf_relax.estimators._carms import CARMS as CARMS
from tf_relax.estimators._concrete import Concrete as Concrete
from tf_relax.estimators._disarm import DisARM as DisARM
from tf_relax.estimators._disarm_bound import DisARMBound as DisARMBound
from tf_relax.estimators._disarm_sb import DisARMSB as DisARMSB
from tf_relax.estimators._dlax import DLAX as DLAX
from tf_relax.estimators._double_cv import DoubleCV as DoubleCV
from tf_relax.estimators._dreg import DReG as DReG
from tf_relax.estimators._enumeration import Enumeration as Enumeration
from tf_relax.estimators._gapped_straight_through import (
    GappedStraightThrough as GappedStraightThrough,
)
from tf_relax.estimators._gumbel_rao import GumbelRao as GumbelRao
from tf_relax.estimators._gumbel_straight_through import (
    GumbelStraightThrough as GumbelStraightThrough,
)
from tf_relax.estimators._lax import LAX as LAX
from tf_relax.estimators._leave_one_out import LeaveOneOut as LeaveOneOut
from tf_relax.estimators._local_expectation import (
    LocalExpectation as LocalExpectation,
)
from tf_relax.estimators._muprop import MuProp as MuProp
from tf_relax.estimators._nvil import NVIL as NVIL
from tf_relax.estimators._rebar import REBAR as REBAR
from tf_relax.estimators._rebar_k import REBARK as REBARK
from tf_relax.estimators._reinforce import Reinforce as Reinforce
from tf_relax.estimators._reinmax import ReinMax as ReinMax
from tf_relax.estimators._relax import RELAX as RELAX
from tf_relax.estimators._relax_disarm import RELAXDisARM as RELAXDisARM
from tf_relax.estimators._relax_k import RELAXK as RELAXK
from tf_relax.estimators._rodeo import RODEO as RODEO
from tf_relax.estimators._straight_through import (
    StraightThrough as StraightThrough,
)
from tf_relax.estimators._unordered_set import UnorderedSet as UnorderedSet
from tf_relax.estimators._vargrad import VarGrad as VarGrad
from tf_relax.estimators._vimco import VIMCO as VIMCO
