"""The one reading of the test people's labels."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def evaluate_exome(
    planned: dsl.Input[dsl.Dataset],
    selection: dsl.Input[dsl.Dataset],
    scores: dsl.Input[List[dsl.Dataset]],
    tests: dsl.Input[dsl.Dataset],
    genotypes: dsl.Input[dsl.Dataset],
    results: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    performance: dsl.Output[dsl.ClassificationMetrics],
) -> None:
    """Measure every network, and every protocol by what it chose, on the test people.

    Args:
        planned: The study.
        selection: All networks, and those that are chosen.
        scores: P(case) of the test people, of all forms.
        tests: Labels of the test people.
        genotypes: The exome, for what is known of the best that can be reached.
        results: Accuracies of all, and what each protocol claims.
        metrics: Accuracy by protocol.
        performance: ROC curve and confusion matrix of the honest protocol.
    """
    from components.artifacts import (
        ExomeFacts,
        ExomeResultsFacts,
        ExomeScoresFacts,
        ExomeSelectionFacts,
        ExomeTestsFacts,
        StudyFacts,
        describe,
        expect,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import evaluation, plan, preparing, showing

    with report_task("evaluate_exome"):
        for artifact, kind in (
            (planned, StudyFacts),
            (selection, ExomeSelectionFacts),
            (tests, ExomeTestsFacts),
            (genotypes, ExomeFacts),
            *((one, ExomeScoresFacts) for one in scores),
        ):
            expect(artifact, kind)
        truth, seed = preparing.read_truth(genotypes.path), plan.read_study(planned.path).seed
        folders = [one.path for one in sorted(scores, key=lambda one: expect(one, ExomeScoresFacts).form)]
        made = evaluation.evaluate_networks(selection.path, folders, tests.path, truth, seed, results.path)
        describe(results, ExomeResultsFacts(n_rows=len(made)))
        shown = showing.show_performance(results.path, performance.path)
        performance.log_roc_curve(*shown.list_curve())
        performance.log_confusion_matrix(list(showing.CATEGORIES), shown.confusion)
        for name, value in shown.metrics.items():
            metrics.log_metric(name, value)
        shown.write_metrics(metrics.path)
        name_shown({"Accuracy by protocol": metrics, "Honest protocol on the test people": performance})
