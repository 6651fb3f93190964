"""Check a study before anything runs, and write it out with every setting."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def plan_study(
    study: str,
    phenotypes: List[str],
    families: List[str],
    planned: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Check a study before anything runs.

    Args:
        study: The study, as YAML or JSON.
        phenotypes: The study's phenotypes, for the loop over them; must be those of the study.
        families: The families of the study's networks, for the loop over them; likewise.
        planned: The study as JSON, every setting written out.
        summary: What will be run, in words.
    """
    from components.artifacts import StudyFacts, describe, name_shown
    from genotransfer.events import report_task
    from genotransfer.stages import plan

    with report_task("plan_study"):
        checked = plan.plan_study(study, phenotypes, families, planned.path, summary.path)
        describe(planned, StudyFacts(name=checked.name, seed=checked.seed))
        name_shown({f"Plan of {checked.name}": summary})
