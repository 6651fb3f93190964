"""Compare new people with those before: allele frequencies, and the champions' scores."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def measure_drift(
    planned: dsl.Input[dsl.Dataset],
    landing: dsl.Input[dsl.Artifact],
    drift: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Measure the drift of allele frequencies and of the champions' scores.

    Args:
        planned: The study on everyone there is.
        landing: Who is new.
        drift: Numbers, and a table of the variants.
        summary: The drift in words.
        metrics: The numbers.
    """
    from components.artifacts import DriftFacts, LandingFacts, StudyFacts, describe, expect, name_shown
    from genotransfer.events import report_task
    from genotransfer.stages import drift as stage
    from genotransfer.stages import plan

    with report_task("measure_drift"):
        expect(planned, StudyFacts)
        expect(landing, LandingFacts)
        made = stage.measure_drift(plan.read_study(planned.path), landing.path, drift.path, summary.path)
        for name, value in made.list_metrics().items():
            metrics.log_metric(name, value)
        made.write_metrics(metrics.path)
        describe(drift, DriftFacts(n_drifted=made.frequencies.n_drifted))
        name_shown({"Drift in words": summary, "Drift in numbers": metrics})
