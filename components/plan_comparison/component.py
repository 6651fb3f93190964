"""Check a comparison of models before anything runs, and write it out with every setting."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def plan_comparison(
    study: str,
    models: List[str],
    planned: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Check a comparison of models before anything runs.

    Args:
        study: The study, as YAML or JSON.
        models: Names of the study's models, for the loop over them; must be those of the study.
        planned: The study as JSON, every setting written out.
        summary: What will be run, in words.
    """
    from components.artifacts import StudyFacts, describe, name_shown
    from genotransfer.events import report_task
    from genotransfer.stages import comparison

    with report_task("plan_comparison"):
        checked = comparison.plan_comparison(study, models, planned.path, summary.path)
        describe(planned, StudyFacts(name=checked.name, seed=checked.seed))
        name_shown({f"Plan of {checked.name}": summary})
