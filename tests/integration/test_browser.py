"""What MLflow's own pages show of a study and its models, in Chromium, with no network but this machine."""

import json
import shutil
import uuid
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from matplotlib import image

from genotransfer.tracking import track_study
from tests.integration.registry_support import PHENOTYPE, Inputs, Store
from tests.integration.support import share

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*contains integer column:UserWarning"),
]
METHODS = ("none", "chosen")
SIZE = {"width": 1600, "height": 1200}
READ_ROWS = """() => [...document.querySelectorAll("tr")].map((row) => {
  const cells = [...row.querySelectorAll("th, td")].map((cell) => cell.textContent.trim());
  return [cells[0], cells.slice(1)];
})"""
PATIENCE = 120_000  # milliseconds: a busy machine takes its time


@pytest.fixture(scope="module")
def shown(finished, mlflow_server, tmp_path_factory):
    """A study tracked on the server, and two versions of a model: runs by place, and the store."""
    uri, artifacts = mlflow_server
    folder = tmp_path_factory.mktemp("shown")

    def find(method):
        def make(made):
            Inputs(finished).export(made / "bundle", method)

        return share(tmp_path_factory, f"bundle-{method}", make) / "bundle"

    store = Store(uri, f"shown{uuid.uuid4().hex[:8]}", artifacts, Inputs(finished), find, folder)
    track_study(
        store.study(),
        store.inputs.results,
        finished.find("select_best_model", "selection"),
        finished.find("write_report", "report"),
        finished.models,
        folder / "tracked.json",
    )
    runs = json.loads((folder / "tracked.json").read_text())
    for method in METHODS:
        version = store.register(method, runs[f"{PHENOTYPE}/{method}"])
        store.promote(version, reuse_final=[store.inputs.final_sha256(PHENOTYPE)])
    return store, runs


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    assert program, "Chromium is not installed: run tools/install_services.sh"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, shown):
    """A page that can reach the server alone."""
    store, _ = shown
    context = browser.new_context(viewport=SIZE)
    here = urlsplit(store.uri).netloc
    context.route(
        "**/*",
        lambda route: route.continue_() if urlsplit(route.request.url).netloc == here else route.abort(),
    )
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    yield opened
    context.close()


def check_screenshot(page, path) -> None:
    """The page is drawn: of the viewport's size, of many colours, and not one colour alone."""
    page.screenshot(path=path)
    pixels = np.round(image.imread(path)[..., :3] * 255).astype(np.int64)
    assert pixels.shape[:2] == (SIZE["height"], SIZE["width"])
    _, counts = np.unique(pixels @ np.array([65536, 256, 1]), return_counts=True)
    assert len(counts) > 50
    assert counts.max() < 0.98 * counts.sum()
    assert path.stat().st_size > 20_000


def test_the_models_page_shows_its_versions_and_aliases(page, shown, tmp_path):
    store, _ = shown
    page.goto(f"{store.uri}/#/models/{quote(store.name)}")
    page.get_by_text("Version 2").first.wait_for()
    page.get_by_text("champion", exact=False).first.wait_for()
    text = page.inner_text("body")
    for due in (store.name, "Version 1", "Version 2", "champion", "challenger", f"{PHENOTYPE} of YRI"):
        assert due in text, due
    for method in METHODS:
        row = store.inputs.row(PHENOTYPE, method)
        assert f"{row['fd_accuracy']:.6g}" in text
        assert f"{row['fd_auc']:.6g}" in text
    check_screenshot(page, tmp_path / "model.png")


def test_a_versions_page_shows_what_it_reached_on_fd(page, shown, tmp_path):
    store, _ = shown
    page.goto(f"{store.uri}/#/models/{quote(store.name)}/versions/2")
    page.get_by_text("Decision: promoted", exact=False).first.wait_for()
    text = page.inner_text("body")
    row = store.inputs.row(PHENOTYPE, "chosen")
    assert f"accuracy {row['fd_accuracy']:.3f} ({row['fd_low']:.3f} to {row['fd_high']:.3f})" in text
    assert f"AUC {row['fd_auc']:.3f}" in text
    check_screenshot(page, tmp_path / "version.png")


def test_two_versions_side_by_side(page, shown, tmp_path):
    store, runs = shown
    versions = {str(at): runs[f"{PHENOTYPE}/{method}"] for at, method in enumerate(METHODS, 1)}
    name = json.dumps(quote(store.name))
    page.goto(f"{store.uri}/#/compare-model-versions?name={name}&runs={quote(json.dumps(versions))}")
    page.get_by_text("Comparing 2 Versions", exact=False).first.wait_for()
    page.get_by_text("fd_accuracy").first.wait_for()
    rows = dict(page.evaluate(READ_ROWS))
    for measure in ("fd_accuracy", "fd_auc"):
        found = [float(one) for one in rows[measure]]
        due = [store.inputs.row(PHENOTYPE, method)[measure] for method in METHODS]
        assert found == pytest.approx(due, abs=1e-3), measure
        assert found[0] != found[1]
    assert [one.strip('"') for one in rows["model"]] == [
        store.inputs.row(PHENOTYPE, method)["model"] for method in METHODS
    ]
    check_screenshot(page, tmp_path / "compared.png")


def test_the_studys_run_shows_its_leaderboard(page, shown, tmp_path):
    store, runs = shown
    experiment = store.client.get_experiment_by_name(store.prefix).experiment_id
    page.goto(f"{store.uri}/#/experiments/{experiment}/runs/{runs['study']}")
    page.get_by_text("mean_fd_accuracy_chosen").first.wait_for()
    text = page.inner_text("body")
    assert "splits.target.TD" in text
    check_screenshot(page, tmp_path / "run.png")

    page.goto(f"{store.uri}/#/experiments/{experiment}/runs/{runs['study']}/artifacts/leaderboard.json")
    page.get_by_text("leaderboard.json").first.wait_for()
    page.get_by_text("ed_accuracy").first.wait_for()
    text = page.inner_text("body")
    assert "report.html" in text
    assert "gru_1" in text
    check_screenshot(page, tmp_path / "leaderboard.png")
