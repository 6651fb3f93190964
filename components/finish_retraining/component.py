"""Record a retraining, and free the place where cohorts land."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def finish_retraining(
    landing: dsl.Input[dsl.Artifact],
    decisions: dsl.Input[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Record what was done with the new cohorts.

    Args:
        landing: What was new.
        decisions: What was decided of the challengers.
        summary: The end, in words.
    """
    from components.artifacts import DecisionsFacts, LandingFacts, expect, name_shown
    from genotransfer.events import report_task
    from genotransfer.retraining import end

    with report_task("finish_retraining"):
        expect(landing, LandingFacts)
        expect(decisions, DecisionsFacts)
        end.finish_retraining(landing.path, decisions.path, summary.path)
        name_shown({"What was promoted": summary})
