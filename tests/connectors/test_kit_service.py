"""The kit's service keeps what it was asked as it was sent."""

from http.client import HTTPConnection

from connectors.testing.service import Asked, Said, Service


def test_a_parameter_that_was_sent_twice_or_without_a_value_is_kept_so() -> None:
    def handle(asked: Asked) -> Said:
        return Said(body=[list(each) for each in asked.pairs])

    service = Service(handle)
    service.start()
    try:
        client = HTTPConnection(service.host)
        client.request("GET", "/find?tag=a&tag=b%20c&empty=&tag=a")
        answer = client.getresponse().read()
        client.close()
    finally:
        service.stop()

    assert answer == b'[["tag", "a"], ["tag", "b c"], ["empty", ""], ["tag", "a"]]'
    assert service.asked[0].query == {"tag": "a", "empty": ""}
