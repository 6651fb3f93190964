"""The transfer study: Modules 1 to 5 of Muneeb et al. 2022 as one flat pipeline.

A loop over the phenotypes makes the data, the classical models and the polygenic scores; a loop over
the families of networks trains and transfers, each task taking all phenotypes of its family, so that
a network is compiled once in a study and a cluster can give each family a GPU. Collected artifacts of
one loop cannot be used inside another, so `gather_cohorts` stands between them. A third loop shows
the model chosen for each phenotype.

`transfer_study` is what runs on this machine; `pipelines.placement` makes of the same function the
pipeline of a cluster.
"""

from typing import Any, List

from kfp import dsl

from components.control_quality.component import control_quality
from components.draw_figures.component import draw_figures
from components.evaluate_final.component import evaluate_final
from components.gather_cohorts.component import gather_cohorts
from components.interpret_models.component import interpret_models
from components.plan_study.component import plan_study
from components.prepare_genotypes.component import prepare_genotypes
from components.prepare_phenotypes.component import prepare_phenotypes
from components.promote_models.component import promote_models
from components.register_models.component import register_models
from components.select_best_model.component import select_best_model
from components.select_panels.component import select_panels
from components.show_performance.component import show_performance
from components.test_association.component import test_association
from components.track_study.component import track_study
from components.train_baselines.component import train_baselines
from components.train_scores.component import train_scores
from components.train_source_models.component import train_source_models
from components.transfer_models.component import transfer_models
from components.write_report.component import write_report

NAME = "transfer-study"
TITLE = "Transfer study"
DESCRIPTION = "How well can a small population's phenotype be predicted with knowledge from a large one?"


def compose_study(
    study: str = "name: paper",
    phenotypes: List[str] = ["5_1", "5_2", "5_3", "5_4", "10_1", "10_2", "10_3", "10_4"],
    families: List[str] = ["ann", "gru", "lstm", "bilstm"],
) -> None:
    """Run a transfer study.

    Args:
        study: The whole study, as YAML or JSON. Change a setting here, or compile the study anew.
        phenotypes: The study's phenotypes, which the first loop takes one by one; checked against the study.
        families: The families of the study's networks, which the second loop takes; checked likewise.
    """
    planned = plan_study(study=study, phenotypes=phenotypes, families=families).outputs["planned"]
    run_planned(planned, phenotypes, families)


def run_planned(planned: Any, phenotypes: Any, families: Any, first: Any = None) -> Any:
    """Compose the tasks of a study that is planned, after a task that comes first, if there is one.

    Returns the decisions on its challengers.
    """
    prepared = prepare_genotypes(planned=planned)
    if first is not None:
        prepared.after(first)
    genotypes = prepared.outputs
    source, target, final = (genotypes[f"{role}_genotypes"] for role in ("source", "target", "final"))

    with dsl.ParallelFor(phenotypes, name="phenotypes") as phenotype:
        labels = prepare_phenotypes(
            planned=planned,
            phenotype=phenotype,
            source_genotypes=source,
            target_genotypes=target,
            final_genotypes=final,
        ).outputs
        checked = control_quality(
            planned=planned,
            phenotypes=labels["phenotypes"],
            source_genotypes=source,
            target_genotypes=target,
        ).outputs
        kept, learning = checked["variants"], checked["kept_phenotypes"]
        association = test_association(
            planned=planned,
            phenotypes=learning,
            variants=kept,
            source_genotypes=source,
            target_genotypes=target,
        ).outputs["association"]
        drawn = draw_figures(
            planned=planned,
            association=association,
            truth=labels["truth"],
            source_genotypes=source,
            target_genotypes=target,
        ).outputs["figures"]
        panels = select_panels(planned=planned, association=association, variants=kept).outputs["panels"]
        baselines = train_baselines(
            planned=planned,
            phenotypes=learning,
            panels=panels,
            source_genotypes=source,
            target_genotypes=target,
        ).outputs
        scores = train_scores(
            planned=planned,
            phenotypes=learning,
            variants=kept,
            source_genotypes=source,
            target_genotypes=target,
        ).outputs

    cohorts = gather_cohorts(phenotypes=dsl.Collected(learning), panels=dsl.Collected(panels)).outputs[
        "cohorts"
    ]

    with dsl.ParallelFor(families, name="families") as family:
        trained = train_source_models(
            planned=planned, family=family, cohorts=cohorts, source_genotypes=source
        ).outputs["models"]
        transferred = transfer_models(
            planned=planned,
            family=family,
            cohorts=cohorts,
            source_models=trained,
            source_genotypes=source,
            target_genotypes=target,
        ).outputs

    selection = select_best_model(
        planned=planned,
        baselines=dsl.Collected(baselines["leaderboard"]),
        scores=dsl.Collected(scores["leaderboard"]),
        transferred=dsl.Collected(transferred["leaderboard"]),
    ).outputs["selection"]
    results = evaluate_final(
        planned=planned,
        selection=selection,
        baseline_models=dsl.Collected(baselines["models"]),
        score_models=dsl.Collected(scores["models"]),
        transferred_models=dsl.Collected(transferred["models"]),
        phenotypes=dsl.Collected(learning),
        truths=dsl.Collected(labels["truth"]),
        target_genotypes=target,
        final_genotypes=final,
        final_phenotypes=dsl.Collected(labels["final_phenotypes"]),
    ).outputs["results"]
    interpretation = interpret_models(
        planned=planned,
        selection=selection,
        baseline_models=dsl.Collected(baselines["models"]),
        score_models=dsl.Collected(scores["models"]),
        transferred_models=dsl.Collected(transferred["models"]),
        phenotypes=dsl.Collected(learning),
        truths=dsl.Collected(labels["truth"]),
        associations=dsl.Collected(association),
        source_genotypes=source,
        target_genotypes=target,
    ).outputs["interpretation"]
    with dsl.ParallelFor(phenotypes, name="performance") as phenotype:
        show_performance(planned=planned, phenotype=phenotype, results=results)
    report = write_report(
        planned=planned,
        results=results,
        selection=selection,
        alignment=genotypes["alignment"],
        panels=dsl.Collected(panels),
        variants=dsl.Collected(kept),
        truths=dsl.Collected(labels["truth"]),
        figures=dsl.Collected(drawn),
        source_models=dsl.Collected(trained),
        transferred_models=dsl.Collected(transferred["models"]),
        interpretation=interpretation,
    ).outputs["report"]

    # KFP marks a Collected artifact as used by the task it is given to: each task needs its own.
    def collect() -> dict:
        return {
            "baseline_models": dsl.Collected(baselines["models"]),
            "score_models": dsl.Collected(scores["models"]),
            "transferred_models": dsl.Collected(transferred["models"]),
            "phenotypes": dsl.Collected(learning),
            "source_genotypes": source,
            "target_genotypes": target,
            "final_genotypes": final,
        }

    tracked = track_study(
        planned=planned,
        results=results,
        selection=selection,
        report=report,
        job=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        **collect(),
    ).outputs["tracked"]
    registered = register_models(
        planned=planned,
        tracked=tracked,
        results=results,
        selection=selection,
        **collect(),
    ).outputs["registered"]
    promoted = promote_models(planned=planned, registered=registered, results=results, final_genotypes=final)
    return promoted.outputs["decisions"]


transfer_study = dsl.pipeline(name=NAME, description=DESCRIPTION, display_name=TITLE)(compose_study)
