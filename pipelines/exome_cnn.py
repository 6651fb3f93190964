"""A study of an exome by convolutional networks: the system of Henriques et al. 2025 as one flat pipeline.

A loop over the forms of network trains them, each task taking all configurations, folds and protocols of
its form, so that a cluster can give each form a GPU. Labels of the test people go from `split_exome` to
`evaluate_exome` alone; only where a study asks for the published protocol are they among its folds too.
"""

from typing import List

from kfp import dsl

from components.choose_exome_network.component import choose_exome_network
from components.evaluate_exome.component import evaluate_exome
from components.plan_exome_study.component import plan_exome_study
from components.prepare_exome.component import prepare_exome
from components.register_exome.component import register_exome
from components.split_exome.component import split_exome
from components.track_exome.component import track_exome
from components.train_exome_networks.component import train_exome_networks
from components.write_exome_report.component import write_exome_report

NAME = "exome-cnn"
TITLE = "Exome by convolutional networks"
DESCRIPTION = "How well are cases and controls told apart by their exomes, honestly and as published?"


def compose_exome_cnn(
    study: str = "name: exome-cnn",
    forms: List[str] = ["1d", "2d", "3d"],
) -> None:
    """Run a study of an exome.

    Args:
        study: The whole study, as YAML or JSON. Change a setting here, or compile the study anew.
        forms: The forms of the study's networks, which the loop takes one by one; checked against the study.
    """
    planned = plan_exome_study(study=study, forms=forms).outputs["planned"]
    exome = prepare_exome(planned=planned).outputs
    genotypes, phenotypes = exome["genotypes"], exome["phenotypes"]
    parted = split_exome(planned=planned, genotypes=genotypes, phenotypes=phenotypes).outputs

    with dsl.ParallelFor(forms, name="forms") as form:
        trained = train_exome_networks(
            planned=planned, form=form, genotypes=genotypes, folds=parted["folds"]
        ).outputs

    selection = choose_exome_network(planned=planned, networks=dsl.Collected(trained["networks"]))
    results = evaluate_exome(
        planned=planned,
        selection=selection.outputs["selection"],
        scores=dsl.Collected(trained["scores"]),
        tests=parted["tests"],
        genotypes=genotypes,
    ).outputs["results"]
    report = write_exome_report(
        planned=planned,
        results=results,
        networks=dsl.Collected(trained["networks"]),
        genotypes=genotypes,
        folds=parted["folds"],
    ).outputs["report"]
    tracked = track_exome(
        planned=planned,
        results=results,
        report=report,
        genotypes=genotypes,
        phenotypes=phenotypes,
        job=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    ).outputs["tracked"]
    register_exome(
        planned=planned,
        tracked=tracked,
        selection=selection.outputs["selection"],
        models=dsl.Collected(trained["models"]),
        results=results,
        genotypes=genotypes,
        phenotypes=phenotypes,
        folds=parted["folds"],
    )


exome_cnn = dsl.pipeline(name=NAME, description=DESCRIPTION, display_name=TITLE)(compose_exome_cnn)
