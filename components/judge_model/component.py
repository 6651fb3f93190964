"""One model of a comparison, by nested cross-validation."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def judge_model(
    planned: dsl.Input[dsl.Dataset],
    model: str,
    people: dsl.Input[dsl.Dataset],
    judged: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Search, fit and judge one model on the study's folds.

    Args:
        planned: The study.
        model: Name of the model.
        people: The people and their folds.
        judged: Predictions of everybody, and what was fitted, tried and spent in each fold.
        metrics: The model's accuracy.
    """
    from components.artifacts import JudgedFacts, PeopleFacts, StudyFacts, describe, expect
    from genotransfer.events import report_task
    from genotransfer.stages import comparison

    with report_task("judge_model", model) as progress:
        study = expect(planned, StudyFacts)
        expect(people, PeopleFacts, study=study.name)
        accuracy = comparison.judge_model(planned.path, model, people.path, judged.path, progress)
        describe(judged, JudgedFacts(model=model))
        metrics.log_metric("accuracy", accuracy)
        comparison.write_metric(metrics.path, "accuracy", accuracy)
