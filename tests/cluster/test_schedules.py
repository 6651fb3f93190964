"""Schedules: cron, replacing one whatever fails, and the commands: against the stand-in."""

import pytest

from genotransfer.errors import StudyError
from pipelines import schedules
from pipelines.schedules import convert_cron, list_schedules


@pytest.mark.parametrize(
    ("given", "converted"),
    [
        ("0 3 * * 1", "0 0 3 * * 1"),
        ("*/15 0-6,22 1,15 JAN-MAR mon-fri/2", "0 */15 0-6,22 1,15 JAN-MAR MON-FRI/2"),
        ("30 0 3 * * ?", "30 0 3 * * ?"),
        ("  5   4 * * sun ", "0 5 4 * * SUN"),
    ],
)
def test_cron_gets_its_seconds(given, converted):
    assert convert_cron(given) == converted


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("0 3 * *", "has 4 fields. Write five"),
        ("@daily", "has 1 fields"),
        ("60 3 * * 1", "the minute '60' is beyond 0 to 59"),
        ("0 24 * * 1", "the hour '24' is beyond 0 to 23"),
        ("0 3 0 * 1", "the day of the month '0' is beyond 1 to 31"),
        ("0 3 * 13 1", "the month '13' is beyond 1 to 12"),
        ("0 3 * * 7", "the day of the week '7' is beyond 0 to 6; Sunday is 0"),
        ("0 3 * * MOO", "'MOO' is beyond 0 to 6"),
        ("0 5-3 * * 1", "the hour '5-3' ends before it begins"),
        ("*/0 3 * * 1", "has a step of 0"),
        ("0 3 * * 1,", "is not of cron"),
        ("0 *-3 * * 1", "a range goes from number to number"),
        ("0 3.5 * * 1", "is not of cron"),
        ("* 0 3 * * 1", "the second must be one number from 0 to 59"),
        ("60 0 3 * * 1", "the second must be one number from 0 to 59"),
    ],
)
def test_what_is_no_cron_is_refused(given, says):
    with pytest.raises(StudyError) as raised:
        convert_cron(given)
    assert says in str(raised.value)


def create(call, *more):
    return call("schedule", "create", "demo", "--cron", "0 3 * * 1", *more)


def list_states(kubeflow):
    return [one.status for one in kubeflow.schedules.values()]


def test_a_schedule_is_made_and_enabled(kubeflow, call):
    status, said, error = create(call)
    assert (status, error) == (0, "")
    [made] = kubeflow.schedules.values()
    [version] = kubeflow.versions.values()
    assert (made.display_name, made.status, made.mode) == ("demo", "ENABLED", "DISABLE")
    assert made.trigger.cron_schedule.cron == "0 0 3 * * 1"
    assert made.no_catchup is True
    assert made.max_concurrency == "1"
    assert made.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    assert version.display_name in made.description
    assert said.splitlines() == [
        f"Schedule demo ({made.recurring_run_id}) at '0 0 3 * * 1'",
        f"{kubeflow.endpoint}/#/recurringrun/details/{made.recurring_run_id}",
    ]


def test_its_options_arrive(kubeflow, call):
    more = (
        "--catch-up",
        "--concurrency",
        "3",
        "--name",
        "weekly",
        "--experiment",
        "nights",
        "--pipeline",
        "mine",
    )
    assert create(call, *more, "--set", "cluster.service_account=trainer")[0] == 0
    [made] = kubeflow.schedules.values()
    assert (made.display_name, made.no_catchup, made.max_concurrency) == ("weekly", False, "3")
    assert made.service_account == "trainer"
    assert kubeflow.experiments[made.experiment_id].display_name == "nights"
    assert [one.display_name for one in kubeflow.pipelines.values()] == ["mine"]


@pytest.mark.parametrize("more", [("--concurrency", "11"), ("--concurrency", "0"), ("--cron", "0 3 * *")])
def test_a_wrong_option_asks_nobody(kubeflow, call, more):
    assert create(call, *more)[0] == 2
    assert kubeflow.requests == []


def test_another_of_the_same_name_takes_its_place(kubeflow, call):
    create(call)
    create(call, "--name", "other")
    create(call, "--experiment", "elsewhere")
    [first, other, elsewhere] = kubeflow.schedules
    status, said, _ = call("schedule", "create", "demo", "--cron", "0 5 * * 2", "--set", "seed=2")
    assert status == 0
    assert ", in place of 1" in said.splitlines()[0]
    assert first not in kubeflow.schedules
    assert {other, elsewhere} < set(kubeflow.schedules)
    assert list_states(kubeflow) == ["ENABLED"] * 3
    assert len(kubeflow.versions) == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "recurringruns$"),
        ("POST", ":enable"),
        ("DELETE", "recurringruns/"),
        ("POST", "upload_version"),
    ],
)
@pytest.mark.parametrize("status", [403, 503])
def test_whichever_step_fails_the_old_one_goes_on(kubeflow, call, method, path, status):
    create(call)
    [old] = kubeflow.schedules
    kubeflow.fail(method, path, status)
    ended, said, error = call("schedule", "create", "demo", "--cron", "0 5 * * 2", "--set", "seed=2")
    assert (ended, said) == (2, "")
    assert f"({'403' if status == 403 else 'HTTP 503'}): injected" in error
    assert list(kubeflow.schedules) == [old]
    assert list_states(kubeflow) == ["ENABLED"]
    if path in (":enable", "recurringruns/"):
        assert "The schedule 'demo' could not be replaced: " in error
        assert "The new schedule was taken back" in error


def test_a_new_one_whose_answer_was_lost_is_taken_back(kubeflow, call):
    create(call)
    [old] = kubeflow.schedules
    kubeflow.fail("POST", "recurringruns$", 503, after=True)
    assert create(call)[0] == 2
    assert list(kubeflow.schedules) == [old]
    assert list_states(kubeflow) == ["ENABLED"]


def test_what_cannot_be_taken_back_is_named(kubeflow, call):
    create(call)
    [old] = kubeflow.schedules
    kubeflow.fail("DELETE", "recurringruns/", 503, times=2)
    ended, _, error = create(call)
    assert ended == 2
    [_, new] = kubeflow.schedules
    assert f"could not be taken back: genotransfer schedule delete {new}" in error
    assert old in kubeflow.schedules


def test_there_is_always_one_enabled(kubeflow, call, monkeypatch):
    create(call)
    carry_out, seen = kubeflow._carry_out, []

    def watch(*arguments):
        made = carry_out(*arguments)
        seen.append(list_states(kubeflow).count("ENABLED"))
        return made

    monkeypatch.setattr(kubeflow, "_carry_out", watch)
    assert create(call)[0] == 0
    assert set(seen) == {1, 2}
    assert seen[-1] == 1


def test_schedules_are_listed_paused_resumed_and_deleted(kubeflow, call):
    create(call)
    create(call, "--name", "other", "--catch-up")
    status, said, _ = call("schedule", "list")
    assert status == 0
    ids = list(kubeflow.schedules)
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert rows == [
        "name cron status catches up at a time id",
        f"demo 0 0 3 * * 1 enabled no 1 {ids[0]}",
        f"other 0 0 3 * * 1 enabled yes 1 {ids[1]}",
    ]
    assert call("schedule", "pause", "demo") == (0, "demo is paused\n", "")
    assert list_states(kubeflow) == ["DISABLED", "ENABLED"]
    assert call("schedule", "resume", ids[0])[0] == 0
    assert list_states(kubeflow) == ["ENABLED", "ENABLED"]
    assert call("schedule", "delete", "demo")[0] == 0
    assert list(kubeflow.schedules) == ids[1:]
    status, _, error = call("schedule", "delete", "demo")
    assert status == 2
    assert "There is no schedule 'demo'. There are: other." in error


def test_a_name_of_two_wants_an_id(kubeflow, call):
    create(call)
    create(call, "--experiment", "elsewhere")
    status, _, error = call("schedule", "pause", "demo")
    assert status == 2
    assert "2 schedules are named 'demo'. Name one by its id: " in error
    assert all(one in error for one in kubeflow.schedules)
    assert list_states(kubeflow) == ["ENABLED", "ENABLED"]


def test_all_pages_are_read(kubeflow, call, connection, monkeypatch):
    monkeypatch.setattr(schedules, "PAGE", 2)
    for at in range(5):
        create(call, "--name", f"name-{at}")
    assert [one.display_name for one in list_schedules(connection)] == [f"name-{at}" for at in range(5)]
