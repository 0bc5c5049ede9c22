"""What every table of the report is made of."""

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """Base of the report's tables: unknown keys are refused, values cannot change, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
