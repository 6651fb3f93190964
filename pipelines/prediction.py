"""Prediction as a pipeline of one task, to run on a cluster by hand or by a schedule."""

from kfp import dsl

from components.predict.component import predict
from genotransfer.release import RELEASE_VARIABLE, name_release


@dsl.pipeline(
    name="prediction", description="What does a study's model predict for the people of a genotype file?"
)
def prediction(
    model: str,
    genotypes: str,
    least_match_rate: float = 0.9,
    tracking_uri: str = "",
) -> None:
    """Predict for the people of a genotype file.

    Args:
        model: A bundle's folder, or models:/NAME@champion or models:/NAME/3 in MLflow's registry.
        genotypes: PLINK prefix, .gen, .vcf, .bcf, or 23andMe .txt or a folder of them.
        least_match_rate: Least share of the model's variants that the file must hold.
        tracking_uri: MLflow's registry; MLFLOW_TRACKING_URI when empty.
    """
    task = predict(
        model=model, genotypes=genotypes, least_match_rate=least_match_rate, tracking_uri=tracking_uri
    )
    task.set_env_variable(RELEASE_VARIABLE, name_release())
