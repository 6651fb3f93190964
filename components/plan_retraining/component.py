"""Find what is new where cohorts land, and plan a study on everyone there is."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def plan_retraining(
    study: str,
    phenotypes: List[str],
    families: List[str],
    run: str,
    planned: dsl.Output[dsl.Dataset],
    landing: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
) -> str:
    """Find new cohorts; the outcome is new, nothing, waiting or busy.

    Args:
        study: The whole study, as YAML or JSON.
        phenotypes: The study's phenotypes.
        families: The families of the study's networks.
        run: The pipeline's run.
        planned: The study on everyone there is.
        landing: What was found, JSON.
        summary: What was found, in words.
    """
    from components.artifacts import LandingFacts, StudyFacts, describe, name_shown
    from genotransfer.events import name_job, report_task
    from genotransfer.retraining import plan as retraining
    from genotransfer.stages import plan

    with report_task("plan_retraining"):
        plan.check_loops(study, phenotypes, families)
        found = retraining.plan_retraining(study, name_job(run), planned.path, landing.path, summary.path)
        chosen = plan.read_study(planned.path)
        describe(planned, StudyFacts(name=chosen.name, seed=chosen.seed))
        describe(landing, LandingFacts(outcome=found.outcome, n_new=found.n_new))
        name_shown({"What is new": summary})
        return found.outcome
