"""A study by its stages alone, as a second way through it beside the pipeline."""

from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from genotransfer.config import Study
from genotransfer.formats.files import replace_together
from genotransfer.stages import association, genotypes, models, phenotypes, plan, report, results
from genotransfer.stages.figures import draw_figures


def tell(done: int, total: int, note: str = "") -> None:
    assert 0 < done <= total, note


def run_stages(study: Study, folder: Path, change: Callable[[str, Path, Path], None] | None = None) -> Path:
    """Run every stage of a study in this process.

    Parameters
    ----------
    change : called with each phenotype, the folder of its labels and that of FD's, once they are made.
    """
    # One thread, as the runner gives each task: sums of floats depend on their order.
    with threadpool_limits(1):
        _run(study, folder, change or (lambda *_: None))
    return folder


def _run(study: Study, folder: Path, change: Callable[[str, Path, Path], None]) -> None:
    names = study.phenotype_names
    study = plan.plan_study(study.to_json(), names, study.families, folder / "study.json")
    filesets = {role: str(folder / "genotypes" / role) for role in ("source", "target", "final")}
    learning = {role: filesets[role] for role in ("source", "target")}
    genotypes.prepare_genotypes(study, filesets, folder / "alignment")
    place = {
        what: {name: str(folder / what / name) for name in names}
        for what in ("labels", "final", "truth", "kept", "variants", "association", "panels", "figures")
    }
    leaderboards, fitted, trained = [], {}, []
    for name in names:
        labels, final, truth, kept, variants, tested, panels, figures = (place[what][name] for what in place)
        phenotypes.prepare_phenotypes(study, name, filesets, labels, final, truth)
        change(name, Path(labels), Path(final))
        association.control_quality(study, name, labels, learning, variants, kept)
        association.test_association(study, kept, variants, learning, tested)
        association.select_panels(study, name, tested, variants, panels)
        draw_figures(study, name, tested, truth, learning, figures, folder / f"{name}.html")
        part = f"baselines/{name}"
        board, fitted[part] = folder / "leaderboards" / f"{part}.parquet", str(folder / "models" / part)
        models.train_baselines(study, name, kept, panels, learning, board, fitted[part], tell)
        leaderboards.append(str(board))
        part = f"scores/{name}"
        board, fitted[part] = folder / "leaderboards" / f"{part}.parquet", str(folder / "models" / part)
        models.train_scores(study, name, kept, variants, learning, board, fitted[part], tell)
        leaderboards.append(str(board))
    cohorts = folder / "cohorts"
    models.gather_cohorts(place["kept"], place["panels"], cohorts)
    for family in study.families:
        part, sources = f"transfer/{family}", str(folder / "sources" / family)
        models.train_source_models(study, family, cohorts, filesets["source"], sources, tell)
        board, fitted[part] = folder / "leaderboards" / f"{part}.parquet", str(folder / "models" / part)
        models.transfer_models(study, family, cohorts, sources, learning, board, fitted[part], tell)
        leaderboards.append(str(board))
        trained.append(sources)
    results.select_best(study, leaderboards, folder / "selection")
    results.evaluate_final(
        study,
        folder / "selection",
        fitted,
        place["kept"],
        place["truth"],
        {"target": filesets["target"], "final": filesets["final"]},
        place["final"],
        folder / "results",
    )
    with replace_together(folder / "page.html") as [page]:
        report.write_report(
            study,
            folder / "results",
            folder / "selection",
            folder / "alignment",
            place["panels"],
            place["variants"],
            dict.fromkeys(names, getattr(study.phenotypes, "heritability", None)),
            place["figures"],
            [*trained, *fitted.values()],
            folder / "report",
            page,
        )
