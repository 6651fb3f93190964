"""The people of a comparison: genotypes and phenotype of both populations, and the folds of the target."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def prepare_people(planned: dsl.Input[dsl.Dataset], people: dsl.Output[dsl.Dataset]) -> None:
    """Simulate or ingest the people of a comparison, and deal the target's to folds.

    Args:
        planned: The study.
        people: A fileset and a phenotype of each population, and the target's folds.
    """
    from components.artifacts import PeopleFacts, StudyFacts, describe, expect
    from genotransfer.events import report_task
    from genotransfer.stages import comparison

    with report_task("prepare_people") as progress:
        study = expect(planned, StudyFacts)
        facts = comparison.prepare_people(planned.path, people.path, progress)
        described = {name: facts[name] for name in ("n_source", "n_target", "n_variants")}
        describe(people, PeopleFacts(study=study.name, **described))
