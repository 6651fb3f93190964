"""Check a study of an exome before anything runs, and write it out with every setting."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def plan_exome_study(
    study: str,
    forms: List[str],
    planned: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Check a study of an exome before anything runs.

    Args:
        study: The study, as YAML or JSON.
        forms: The forms of the study's networks, for the loop over them; must be those of the study.
        planned: The study as JSON, every setting written out.
        summary: What will be run, in words.
    """
    from components.artifacts import StudyFacts, describe, name_shown
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import plan

    with report_task("plan_exome_study"):
        checked = plan.plan_study(study, forms, planned.path, summary.path)
        describe(planned, StudyFacts(name=checked.name, seed=checked.seed))
        name_shown({f"Plan of {checked.name}": summary})
