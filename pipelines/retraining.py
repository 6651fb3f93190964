"""Retraining: what is new where cohorts land, a study on everyone there is, and what it changes.

Run on a schedule. A run that finds nothing new ends after its first task, which says so; of two runs
at once one goes on.
"""

from kfp import dsl

from components.finish_retraining.component import finish_retraining
from components.measure_drift.component import measure_drift
from components.plan_retraining.component import plan_retraining
from pipelines.transfer_study import run_planned

NAME = "retraining"
TITLE = "Retraining"
DESCRIPTION = "Take the cohorts that have landed, train anew, and promote what is better."


def compose_retraining(study: str, phenotypes: list[str], families: list[str]) -> None:
    """Retrain a study.

    Args:
        study: The whole study, as YAML or JSON; its section retraining says where cohorts land.
        phenotypes: The study's phenotypes, which the first loop takes one by one; checked against the study.
        families: The families of the study's networks, which the second loop takes; checked likewise.
    """
    found = plan_retraining(
        study=study, phenotypes=phenotypes, families=families, run=dsl.PIPELINE_JOB_ID_PLACEHOLDER
    )
    with dsl.If(found.outputs["Output"] == "new", name="something-new"):
        planned, landing = found.outputs["planned"], found.outputs["landing"]
        drift = measure_drift(planned=planned, landing=landing)
        # Measured before anybody learns from the new people, and before any champion changes.
        decisions = run_planned(planned, phenotypes, families, first=drift)
        finish_retraining(landing=landing, decisions=decisions)


retraining = dsl.pipeline(name=NAME, description=DESCRIPTION, display_name=TITLE)(compose_retraining)
