"""Models compared on the same people and folds, as Dhaliwal does, by nested cross-validation.

A loop over the models, each a task of its own that a cluster can run beside the others; the folds were
dealt before it, so that all of them judge the same people in the same folds.
"""

from typing import List

from kfp import dsl

from components.judge_model.component import judge_model
from components.plan_comparison.component import plan_comparison
from components.prepare_people.component import prepare_people
from components.track_comparison.component import track_comparison
from components.write_comparison_report.component import write_comparison_report

NAME = "model-comparison"
TITLE = "Model comparison"
DESCRIPTION = "Which model predicts a phenotype best, on the same people and folds?"


def compose_comparison(study: str, models: List[str]) -> None:
    """Compare models.

    Args:
        study: The whole study, as YAML or JSON. Change a setting here, or compile the study anew.
        models: Names of the study's models, which the loop takes one by one; checked against the study.
    """
    planned = plan_comparison(study=study, models=models).outputs["planned"]
    people = prepare_people(planned=planned).outputs["people"]
    with dsl.ParallelFor(models, name="models") as model:
        judged = judge_model(planned=planned, model=model, people=people).outputs["judged"]
    report = write_comparison_report(planned=planned, people=people, judged=dsl.Collected(judged)).outputs[
        "report"
    ]
    track_comparison(
        planned=planned,
        people=people,
        # KFP marks a Collected artifact as used by the task it is given to: each task needs its own.
        judged=dsl.Collected(judged),
        report=report,
        job=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    )


model_comparison = dsl.pipeline(name=NAME, description=DESCRIPTION, display_name=TITLE)(compose_comparison)
