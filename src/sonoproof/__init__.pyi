from sonoproof.api.classifier import Classifier as Classifier
from sonoproof.api.classifier import load as load
from sonoproof.api.cohorts import GroupedSplit as GroupedSplit
from sonoproof.api.cohorts import read_cohort as read_cohort
from sonoproof.api.cohorts import simulate as simulate
from sonoproof.api.cohorts import split as split
from sonoproof.api.measuring import calibration as calibration
from sonoproof.api.measuring import compare as compare
from sonoproof.api.measuring import metrics as metrics
from sonoproof.api.runs import Run as Run
from sonoproof.api.runs import audit as audit
from sonoproof.api.runs import run as run
from sonoproof.errors import AuditBlocked as AuditBlocked
from sonoproof.errors import BundleError as BundleError
from sonoproof.errors import CohortError as CohortError
from sonoproof.errors import ConfigError as ConfigError
from sonoproof.errors import FrameError as FrameError
from sonoproof.errors import LeakageError as LeakageError
from sonoproof.errors import MissingExtra as MissingExtra
from sonoproof.errors import RunFolderError as RunFolderError
from sonoproof.errors import ScoreError as ScoreError
from sonoproof.errors import SheetError as SheetError
from sonoproof.errors import SonoproofError as SonoproofError

__version__: str
__all__: list[str]  # noqa: PYI035
_HOME: dict[str, str]
