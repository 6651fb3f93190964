"""The report of a study of an exome: results.csv, tables, figures and one page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from genotransfer.exome_cnn import published
from genotransfer.exome_cnn.configurations import KEYS
from genotransfer.exome_cnn.evaluation import CONFIGURATIONS, OPTIMISM, PREDICTIONS, RESULTS
from genotransfer.exome_cnn.folds import COUNTS
from genotransfer.exome_cnn.pages import Findings, describe_page
from genotransfer.exome_cnn.preparing import STEPS, read_facts
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.exome_cnn.tables import lay_out_table_1, lay_out_table_2, tabulate_ceilings
from genotransfer.exome_cnn.training import CURVES
from genotransfer.formats.files import replace_together
from genotransfer.plots.exome_cnn import draw_curves, draw_protocols
from genotransfer.report.markdown import lay_out_table
from genotransfer.report.pages import write_page

DECIMALS = "%.6g"


def write_report(
    study: ExomeCnnStudy,
    results_folder: str | Path,
    trained_folders: list[str],
    genotypes_folder: str | Path,
    folds_folder: str | Path,
    report_folder: str | Path,
    page: str | Path,
    summary: str | Path,
) -> None:
    """Write the report's folder.

    Parameters
    ----------
    study : the study.
    results_folder : from `genotransfer.exome_cnn.evaluation.evaluate_networks`.
    trained_folders : from `genotransfer.exome_cnn.training.train_form`, for the learning curves.
    genotypes_folder : from `prepare_exome`, for what is known of the exome.
    folds_folder : from `split_exome`, for how many variants were kept.
    report_folder : gets report.html; results.csv, a row a protocol and fold; optimism.csv;
        configurations.csv, a row a configuration and fold; predictions.parquet; curves.parquet; tables/ and
        figures/. All but the seconds in configurations.csv are the same bytes for the same study.
    page : where the page is written once more.
    summary : where the answer is written as Markdown.
    """
    results_folder, folder = Path(results_folder), Path(report_folder)
    results = pd.read_parquet(results_folder / RESULTS)
    configurations = pd.read_parquet(results_folder / CONFIGURATIONS)
    curves = pd.concat([pd.read_parquet(Path(one) / CURVES) for one in trained_folders], ignore_index=True)
    facts = read_facts(genotypes_folder)
    ceilings, takes = tabulate_ceilings(
        float(facts["case_share"]), facts.get("prevalence") or published.PREVALENCE
    )
    sweep = study.sweep
    table_1 = lay_out_table_1(configurations, "x".join(map(str, sweep.layers[0])))
    table_2 = lay_out_table_2(configurations, sweep.filters[0], sweep.batch_sizes[0])
    optimism = pd.read_parquet(results_folder / OPTIMISM)
    counts = pd.read_parquet(Path(folds_folder) / COUNTS)
    steps = pd.read_csv(Path(genotypes_folder) / STEPS)
    with replace_together(folder, page, summary) as (made, page_made, told):
        (made / "tables").mkdir(parents=True)
        (made / "figures").mkdir()
        for name, table in (
            ("results", results),
            ("optimism", optimism),
            ("configurations", configurations),
            ("tables/table_1", table_1),
            ("tables/table_2", table_2),
            ("tables/ceilings", ceilings),
            ("tables/preselection", counts),
            ("tables/quality", steps),
        ):
            table.to_csv(made / f"{name}.csv", index=False, float_format=DECIMALS, lineterminator="\n")
        curves.to_parquet(made / CURVES, index=False)
        shutil.copyfile(results_folder / PREDICTIONS, made / PREDICTIONS)
        figures = [
            (
                "Accuracy on the test people by protocol, with Wilson's 95 % interval; dots are folds.",
                draw_protocols(made / "figures/protocols.png", results),
            ),
            (
                "Learning curves of the chosen networks (as Figure 2 of the paper), a line a fold. In the published "
                "protocol the test people are the ones who stop the training.",
                draw_curves(made / "figures/curves.png", _take_chosen(curves, configurations)),
            ),
        ]
        findings = Findings(
            study, results, configurations, optimism, counts, steps, facts, table_1, table_2, ceilings, takes
        )
        described = describe_page(findings, figures)
        write_page(made / "report.html", described)
        shutil.copyfile(made / "report.html", page_made)
        told.write_text(
            f"# {described.heading}\n\n**{described.answer}** {described.lead}\n\n{_show(results)}\n"
            f"\n{published.CITATION} doi:{published.DOI}\n"
        )


def _take_chosen(curves: pd.DataFrame, configurations: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of what was chosen, in the order of protocols and folds."""
    chosen = configurations.loc[configurations["chosen"], [*KEYS, "best_epoch"]]
    return chosen.merge(curves, on=KEYS, how="left")


def _show(results: pd.DataFrame) -> str:
    whole = results[results["fold"] == "all"]
    rows = [
        (row["protocol"], *(f"{100 * row[name]:.1f}" for name in ("accuracy", "low", "high", "majority")))
        for row in whole.to_dict("records")
    ]
    return lay_out_table(("protocol", "accuracy %", "from", "to", "majority %"), rows)
