"""Compare each challenger with its champion on FD, and promote it where it is better."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def promote_models(
    planned: dsl.Input[dsl.Dataset],
    registered: dsl.Input[dsl.Artifact],
    results: dsl.Input[dsl.Dataset],
    final_genotypes: dsl.Input[dsl.Dataset],
    decisions: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Promote challengers that are better than their champions by the study's rule.

    Args:
        planned: The study.
        registered: The challengers.
        results: FD's people and labels.
        final_genotypes: Genotypes of FD.
        decisions: What was decided of each, JSON.
        summary: The decisions in words.
    """
    from components.artifacts import (
        DecisionsFacts,
        RegisteredFacts,
        ResultsFacts,
        StudyFacts,
        describe,
        expect,
        expect_genotypes,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import plan
    from genotransfer.tracking import promotion

    with report_task("promote_models"):
        expect(planned, StudyFacts)
        expect(registered, RegisteredFacts)
        expect(results, ResultsFacts)
        expect_genotypes(final=final_genotypes)
        made = promotion.promote_models(
            plan.read_study(planned.path),
            registered.path,
            results.path,
            final_genotypes.path,
            decisions.path,
        )
        promotion.write_summary(made, summary.path)
        describe(decisions, DecisionsFacts(n_promoted=sum(one.outcome == "promoted" for one in made)))
        name_shown({"Champions and challengers": summary})
