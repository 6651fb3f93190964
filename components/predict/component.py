"""Predict for the people of a genotype file with a study's model."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def predict(
    model: str,
    genotypes: str,
    least_match_rate: float,
    tracking_uri: str,
    table: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Predict for the people of a genotype file, and say what speaks against the prediction.

    Args:
        model: A bundle's folder, or models:/NAME@champion or models:/NAME/3 in MLflow's registry.
        genotypes: PLINK prefix, .gen, .vcf, .bcf, or 23andMe .txt or a folder of them.
        least_match_rate: Least share of the model's variants that the file must hold.
        tracking_uri: MLflow's registry; MLFLOW_TRACKING_URI when empty.
        table: One row a person, tab-separated.
        summary: What was found, with all warnings.
        metrics: Match rates, and means over the people.
    """
    from components.artifacts import PredictionFacts, describe
    from genotransfer.events import report_task
    from genotransfer.prediction.predict import predict_with_model
    from genotransfer.prediction.summary import write_metrics, write_summary

    with report_task("predict"):
        done = predict_with_model(
            model, genotypes, tracking_uri=tracking_uri, least_match_rate=least_match_rate
        )
        done.write(table.path)
        write_summary(done, summary.path)
        for name, value in done.measure().items():
            metrics.log_metric(name, value)
        write_metrics(done, metrics.path)
        describe(
            table,
            PredictionFacts(
                study=done.facts.study,
                phenotype=done.facts.phenotype,
                n_people=len(done.table),
                n_warnings=len(done.warnings),
            ),
        )
