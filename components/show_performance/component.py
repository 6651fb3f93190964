"""ROC curve, confusion matrix and numbers of one phenotype's chosen model, for Kubeflow's page."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def show_performance(
    planned: dsl.Input[dsl.Dataset],
    phenotype: str,
    results: dsl.Input[dsl.Dataset],
    performance: dsl.Output[dsl.ClassificationMetrics],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Show how well the chosen model of a phenotype predicts on FD.

    Args:
        planned: The study.
        phenotype: The phenotype.
        results: The results and predictions on FD.
        performance: ROC curve and confusion matrix of the chosen model.
        metrics: Its accuracy, AUC and gain against no transfer.
    """
    from components.artifacts import ResultsFacts, StudyFacts, expect, name_shown
    from genotransfer.events import report_task
    from genotransfer.stages import performance as stage
    from genotransfer.stages import plan

    with report_task("show_performance", phenotype):
        expect(planned, StudyFacts)
        expect(results, ResultsFacts)
        made = stage.show_performance(results.path, phenotype, performance.path)
        if made.curve is not None:
            performance.log_roc_curve(
                made.curve.false_positive, made.curve.true_positive, made.curve.thresholds
            )
        if made.confusion is not None:
            performance.log_confusion_matrix(list(stage.CATEGORIES), made.confusion)
        for name, value in made.metrics.items():
            metrics.log_metric(name, value)
        target = plan.read_study(planned.path).target
        name_shown({f"Chosen model of {target}_{phenotype} on FD": performance})
        name_shown({f"Accuracy of the chosen model of {target}_{phenotype}": metrics})
        made.write_metrics(metrics.path)
