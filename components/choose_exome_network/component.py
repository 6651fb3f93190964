"""Choose a network in each fold of each protocol, by the people who watched the training."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def choose_exome_network(
    planned: dsl.Input[dsl.Dataset],
    networks: dsl.Input[List[dsl.Dataset]],
    selection: dsl.Output[dsl.Dataset],
) -> None:
    """Choose a network in each fold of each protocol.

    Args:
        planned: The study.
        networks: The leaderboards of all forms.
        selection: All networks, and those that are chosen.
    """
    from components.artifacts import (
        ExomeNetworksFacts,
        ExomeSelectionFacts,
        StudyFacts,
        describe,
        expect,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import choice, plan

    with report_task("choose_exome_network"):
        expect(planned, StudyFacts)
        trained = {expect(one, ExomeNetworksFacts).form: one for one in networks}
        study = plan.read_study(planned.path)
        choice.choose_networks([trained[form].path for form in study.sweep.forms], selection.path)
        total = sum(expect(one, ExomeNetworksFacts).n_networks for one in networks)
        describe(selection, ExomeSelectionFacts(n_networks=total))
