"""Log a study of an exome to MLflow: one run for the study, one for each protocol."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def track_exome(
    planned: dsl.Input[dsl.Dataset],
    results: dsl.Input[dsl.Dataset],
    report: dsl.Input[dsl.Artifact],
    genotypes: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    tracked: dsl.Output[dsl.Artifact],
    job: str = "",
) -> None:
    """Log the study, its protocols and its configurations to MLflow.

    Args:
        planned: The study.
        results: The results on the test people.
        report: The folder of the report.
        genotypes: The exome, to be logged as a dataset.
        phenotypes: Who is a case, likewise.
        tracked: The ids of the runs, JSON.
        job: The pipeline's run.
    """
    from components.artifacts import (
        ExomeFacts,
        ExomeLabelsFacts,
        ExomeResultsFacts,
        ReportFacts,
        StudyFacts,
        TrackedFacts,
        describe,
        expect,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import plan
    from genotransfer.tracking import exome as tracking
    from genotransfer.tracking.datasets import Datum, hash_folder

    with report_task("track_exome"):
        expect(planned, StudyFacts)
        expect(results, ExomeResultsFacts)
        expect(report, ReportFacts)
        read, labels = expect(genotypes, ExomeFacts), expect(phenotypes, ExomeLabelsFacts)
        data = [
            Datum("exome", "exome", read.sha256, genotypes.uri, read.n_samples, read.n_variants),
            Datum("labels", "labels", hash_folder(phenotypes.path), phenotypes.uri, labels.n_samples),
        ]
        study = plan.read_study(planned.path)
        tracking.track_exome(study, results.path, report.path, tracked.path, data, job)
        describe(tracked, TrackedFacts())
