"""The signup workflow, in virtual time: a day passes at once."""

from collections.abc import Callable

from local import LocalRunner

ANA = {"email": "ana@example.com", "name": "Ana"}


def test_who_confirms_is_welcome(refluxo_runner: LocalRunner) -> None:
    """Both mails go out."""
    run = refluxo_runner.start("signup", ANA).until_paused()
    run.signal("confirmed", {"confirmed": True})
    run.result()
    run.assert_executed("ask", "confirmed", "welcome")


def test_who_does_not_is_forgotten(refluxo_runner: LocalRunner) -> None:
    """After a day."""
    assert refluxo_runner.start("signup", ANA).result() == {"forgotten": "ana@example.com"}


def test_nobody_gets_a_mail_twice(new_refluxo_runner: Callable[..., LocalRunner]) -> None:
    """Whatever crashes: the mail service is given the same key again, and knows the mail by it."""
    runner = new_refluxo_runner(crash_after="save", duplicates=True)
    run = runner.start("signup", ANA).until_paused()
    run.signal("confirmed", {"confirmed": True}).result()
    sent = [*run.outputs("ask"), *run.outputs("welcome")]
    assert len(sent) == 2
