"""Errors say what they were made with."""

import pickle

from eve_proxy.model.errors import ConfigurationError, InvalidAuthority, JournalUnavailable, Malformed


def test_details() -> None:
    """The fault's name, its text and its status travel with the exception."""
    fault = Malformed("bare-lf", "a line ends without CR", status=400)
    assert (fault.fault, fault.detail, fault.status, str(fault)) == (
        "bare-lf",
        "a line ends without CR",
        400,
        fault.detail,
    )
    assert InvalidAuthority("x").fault == "authority"
    assert ConfigurationError(("a", "b")).faults == ("a", "b")
    assert JournalUnavailable("full").certificate is None


def test_faults_of_the_configuration_cross_to_another_process() -> None:
    """A worker that cannot be configured tells its parent why, fault by fault."""
    error = pickle.loads(pickle.dumps(ConfigurationError(("a", "b"))))
    assert (error.faults, str(error)) == (("a", "b"), "a\nb")
