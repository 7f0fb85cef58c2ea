"""The settings of a run: a frozen dataclass per stage, read from TOML and ``--set table.key=value``.

A setting's range, permitted words and meaning are written beside its field in `tables`; ``None`` leaves the
decision to Sonoproof. Unknown keys, wrong types and values out of range are errors, with a suggestion where possible.
What a run used is written back to ``RUN/config.toml``.
"""

from sonoproof.config.checking import settings_of
from sonoproof.config.reading import load_config, override, to_toml
from sonoproof.config.tables import (
    DEFAULT_BACKBONE,
    TABLES,
    AuditConfig,
    CalibrateConfig,
    Config,
    EvaluateConfig,
    ExplainConfig,
    FitConfig,
    FramesConfig,
    ModelConfig,
    ReportConfig,
    SheetConfig,
    SplitConfig,
)

__all__ = [
    "DEFAULT_BACKBONE",
    "TABLES",
    "AuditConfig",
    "CalibrateConfig",
    "Config",
    "EvaluateConfig",
    "ExplainConfig",
    "FitConfig",
    "FramesConfig",
    "ModelConfig",
    "ReportConfig",
    "SheetConfig",
    "SplitConfig",
    "load_config",
    "override",
    "settings_of",
    "to_toml",
]
